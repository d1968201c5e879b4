import {execFile} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {Finding, type Scenario} from './scenario.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../../../', import.meta.url));

/** Tests of `npm test` that take what they do from a seed, with the seed of the round. */
const toScenario = (name: string, files: string): Scenario => ({
	name,
	needs: 'ours',
	async run({seed, size}) {
		const variables = {
			PNX_VOLUME_TEST_SEED: String(seed),
			...(size === 'long' ? {PNX_VOLUME_TEST_OPERATIONS: '1500'} : {}),
		};
		try {
			const {stdout} = await run('node_modules/.bin/ava', [files], {
				cwd: root,
				env: {...process.env, ...variables},
				maxBuffer: 2 ** 26,
			});
			return {tests: Number(/(\d+) tests? passed/.exec(stdout)?.[1] ?? 0)};
		} catch (error) {
			const {stdout = String(error)} = error as {stdout?: string};
			throw new Finding(`${JSON.stringify(variables)}\n${stdout.slice(-8000)}`);
		}
	},
});

/** The file system without a kernel, against a model, on two nodes, with failures of the store. */
export const fileSystemAlone = toScenario('file-system-alone', 'test/end-to-end/reference/*.ts');

/** Pods, kubelet, driver, agent and daemons together, with kills of each. */
export const wholeProduct = toScenario('whole-product', 'test/end-to-end/storm/*.ts');
