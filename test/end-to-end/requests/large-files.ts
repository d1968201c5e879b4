/** What large files cost in requests to S3: the second table of docs/PERFORMANCE.md. Here a part has 5 MiB. */
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {type MountedNode, startMountedNodes} from '../semantics/support/mounted-nodes.ts';
import type {Program} from '../semantics/support/program.ts';
import {measureRequests} from '../support/request-cost.ts';

type Place = {readonly top: string; readonly node: MountedNode; readonly program: Program};
type Workload = (place: Place) => Promise<unknown>;
type Cost = {readonly requests: number; readonly chain: number; readonly readMebibytes: number};

const mebibyte = 2 ** 20;
const fileBytes = 40 * mebibyte;

/** Of a file `large` of 8 parts, in a directory that was listed. */
const workloads: Readonly<Record<string, Workload>> = {
	'write a new file of 8 parts': async ({program, top}) => program.run(`write('${top}/new', b'x' * ${fileBytes})`),
	'append a line': async ({program, top}) => program.run(`append('${top}/large', b'line\\n')`),
	'write 4 KiB in the middle': async ({program, top}) =>
		program.run(`
f = os.open(at('${top}/large'), os.O_RDWR)
os.pwrite(f, b'y' * 4096, ${20 * mebibyte + 4096})
os.close(f)`),
	'`cp`': async ({node, top}) => node.execute('cp', `${top}/large`, `${top}/new`),
	'`mv`': async ({node, top}) => node.execute('mv', `${top}/large`, `${top}/new`),
	'`chmod`': async ({node, top}) => node.execute('chmod', '600', `${top}/large`),
};

const readBudget = (): ReadonlyMap<string, Cost> => {
	const document = readFileSync(join(import.meta.dirname, '../../../docs/PERFORMANCE.md'), 'utf8');
	const [, table = ''] = /^\| large file .*\n\|[-|]+\|\n((?:\|.*\n)+)/m.exec(document) ?? [];
	return new Map(
		table
			.trim()
			.split('\n')
			.map(line => line.split('|').map(cell => cell.trim()))
			.map(([, name = '', ...figures]) => {
				const [requests = 0, chain = 0, readMebibytes = 0] = figures.map(Number);
				return [name, {requests, chain, readMebibytes}];
			}),
	);
};

const budget = readBudget();
/** A busy machine makes a chain look longer than it is: the best of these tries counts. */
const triedLatenciesMs = [100, 400, 1600];

const bytesOf = (range: string | undefined): number => {
	const [, start = '0', end = '-1'] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
	return Number(end) - Number(start) + 1;
};

test('docs/PERFORMANCE.md has a budget for each use of a large file that is counted here, and no other', t => {
	t.deepEqual([...budget.keys()], Object.keys(workloads));
});

test('large files cost no more requests, longer chains of them or bytes than docs/PERFORMANCE.md says', async t => {
	t.timeout(900_000);
	const nodes = await startMountedNodes({count: 1, options: {'metadata-ttl': '1h', 'part-size': '5MiB'}});
	const program = nodes.a.start();
	const failures: string[] = [];
	try {
		await nodes.bucket.put('warm-up/x', new Uint8Array());
		await nodes.a.shell('rm warm-up/x'); // What is found out once for each mount: how the server deletes.
		for (const [index, [name, act]] of Object.entries(workloads).entries()) {
			const allowed = budget.get(name) ?? {requests: 0, chain: 0, readMebibytes: 0};
			let text = '';
			for (const [attempt, latencyMs] of triedLatenciesMs.entries()) {
				const top = `top-${index}-${attempt}`;
				await nodes.bucket.put(`${top}/`, new Uint8Array());
				await nodes.bucket.put(`${top}/large`, Buffer.alloc(fileBytes, 'large'));
				await program.run(`os.listdir(at('${top}'))`);
				const cost = await measureRequests(nodes.server, {
					latencyMs,
					task: async () => act({top, node: nodes.a, program}),
				});
				const readMebibytes = cost.list.reduce((sum, {range}) => sum + bytesOf(range), 0) / mebibyte;
				text = `${name}: ${cost.requests} / ${cost.chain}, ${readMebibytes} MiB\n${cost.text}`;
				if (
					cost.requests <= allowed.requests &&
					cost.chain <= allowed.chain &&
					readMebibytes <= allowed.readMebibytes
				) {
					t.log(text.split('\n', 1)[0]);
					text = '';
					break;
				}
			}

			failures.push(...(text === '' ? [] : [text]));
		}
	} finally {
		await program.close();
		await nodes.close();
	}

	t.deepEqual(failures, []);
});
