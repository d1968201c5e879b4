import {execFile} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {createRandomSource} from '../../../support/random-source.ts';
import type {MountedNode} from '../../semantics/support/mounted-nodes.ts';
import {drain} from './drain.ts';
import {withMemoryCgroup} from './memory-cgroup.ts';
import {onRoundNodes} from './round-nodes.ts';
import {addFigures, Finding, type Figures, type Scenario} from './scenario.ts';
import {pythonPath} from '../../../support/python.ts';

const script = fileURLToPath(new URL('random-bytes.py', import.meta.url));
const MiB = 2 ** 20;
const run = promisify(execFile);
/** Bounds against hanging only, the short one below the bound of a test. */
const programMsMax = {short: 500_000, long: 3_600_000};

type Answer =
	| {readonly counts: Figures; readonly files: Readonly<Record<string, string>>}
	| {readonly failure: string; readonly operations: readonly string[]; readonly count: number};

type Exercise = {
	readonly seed: number;
	readonly programMsMax: number;
	readonly operationCount: number;
	readonly bytesMax: number;
	readonly words: readonly string[];
	/** A memory cgroup for the program, so that the kernel reclaims the pages of its files. */
	readonly memoryBytesMax: number | undefined;
};

/**
Random operations on bytes through the kernel: several programs with a directory each, on one mount. Afterwards another
node has the same bytes.
*/
export const randomBytes: Scenario = {
	name: 'random-bytes',
	needs: 'any',
	async run(request) {
		const random = createRandomSource(request.seed);
		const isLong = request.size === 'long';
		const options = {
			// Small, so that blocks are evicted and read again.
			'cache-size': random.pick(['0', '16MiB', '1GiB']),
			'part-size': '5MiB',
		};
		return onRoundNodes(request, {options}, async nodes => {
			const exercises = Array.from({length: isLong ? 3 : 2}, (_, index): Exercise => {
				const bytesMax = isLong ? random.pick([64 * 1024, MiB, 2 * MiB, 12 * MiB]) : [64 * 1024, 2 * MiB][index]!;
				return {
					seed: random.below(2 ** 31),
					programMsMax: programMsMax[request.size],
					operationCount: isLong ? 8000 : 1500,
					bytesMax,
					words: ['direct', ...(request.mayDropCaches === true ? ['drop-caches'] : [])],
					memoryBytesMax: bytesMax <= 2 * MiB && random.chance(0.5) ? 64 * MiB : undefined,
				};
			});
			const figures = await Promise.all(
				exercises.map(async (exercise, index) => runExercise(nodes, `files.${index}`, exercise)),
			);
			return figures.reduce(addFigures);
		});
	},
};

const runExercise = async (
	{a, b}: {a: MountedNode; b: MountedNode},
	directory: string,
	exercise: Exercise,
): Promise<Figures> => {
	const {seed, operationCount, bytesMax, words, memoryBytesMax, programMsMax: msMax} = exercise;
	const argv = [script, a.at(directory), seed, operationCount, bytesMax, ...words].map(String);
	const {text, isReclaimed} =
		memoryBytesMax === undefined
			? {text: await runPython(argv, {msMax}), isReclaimed: false}
			: await withMemoryCgroup(memoryBytesMax, async processFile => ({
					text: await runPython(argv, {processFile, msMax}),
					isReclaimed: processFile !== undefined,
				}));
	const answer = JSON.parse(text) as Answer;
	const what = `random bytes with seed ${seed}, ${bytesMax} bytes at most in a file`;
	if ('failure' in answer) {
		throw new Finding(`${what}, after ${answer.count} operations: ${answer.failure}`, answer);
	}

	await drain(a); // With durability journal, what is closed is in S3 a little later.
	for (const [name, expected] of Object.entries(answer.files)) {
		const [actual] = (await b.execute('sha256sum', `${directory}/${name}`)).split(' ');
		if (actual !== expected) {
			throw new Finding(`${directory}/${name} has other bytes on another node: ${what}`);
		}
	}

	const operations = Object.values(answer.counts).reduce((sum, count) => sum + count, 0);
	return {
		operations,
		mappings: (answer.counts['map_read'] ?? 0) + (answer.counts['map_write'] ?? 0),
		operationsUnderReclaim: isReclaimed ? operations : 0,
	};
};

/** Standard output of the program, which runs in a cgroup if one is given. */
const runPython = async (
	argv: readonly string[],
	{processFile, msMax}: {processFile?: string | undefined; msMax: number},
): Promise<string> => {
	const enter = processFile === undefined ? '' : `echo $$ >"${processFile}" && `;
	const {stdout} = await run('sh', ['-c', `${enter}exec "$@"`, 'sh', pythonPath, ...argv], {
		timeout: msMax,
		killSignal: 'SIGKILL',
		maxBuffer: 16 * MiB,
	});
	return stdout;
};
