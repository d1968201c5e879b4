/** One small workload from end to end on a real mount, and subjects that fail and hang: nothing may be left of any. */
import {mkdirSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {Bench} from '../../bench/bench.ts';
import {CleanUp} from '../../bench/clean-up.ts';
import type {Row} from '../../bench/results.ts';
import {startDevServer} from '../../bench/server/s3-server.ts';
import {tinySizes} from '../../bench/sizes.ts';
import {pnxVolume, pnxVolumeJournal} from '../../bench/subjects/pnx-volume.ts';
import type {Subject} from '../../bench/subjects/subject.ts';
import {append} from '../../bench/workloads/programs.ts';
import type {Workload} from '../../bench/workloads/workload.ts';
import {readMountTable} from '../../src/node/mounts/mount-table.ts';
import {createTestDirectory} from '../support/dev-server.ts';

/** It changes nothing before it hangs, so the bound is that of the command alone. */
const hanging: Workload = {
	...append,
	role: 'lists',
	run: async ({measure}) => measure('append_3', 'sleep 1000', {amount: 3}),
};

type Settings = {
	readonly workload?: Workload;
	readonly subject?: Subject;
	readonly stepMs?: number;
	readonly rounds?: number;
	readonly signal?: AbortSignal;
};

const runBench = async (
	t: ExecutionContext,
	{workload = append, subject = pnxVolumeJournal, stepMs = 100_000, rounds = 1, signal}: Settings = {},
): Promise<readonly Row[]> => {
	const temporary = await createTestDirectory(t);
	const cleanUp = new CleanUp();
	t.teardown(async () => cleanUp.run());
	mkdirSync(join(temporary, 's3'));
	const server = await startDevServer(join(temporary, 's3'));
	cleanUp.add(server.stop);
	const reported = {name: subject.name, version: '', isPeer: false, waitsForS3: subject.waitsForS3};
	const bench = new Bench({
		options: {latenciesMs: [0], rounds, sizes: tinySizes, stepMs, totalMs: Number.POSITIVE_INFINITY},
		plan: {workloads: [workload], subjects: [{subject, reported}], measuresMounts: false, notes: []},
		server,
		temporary,
		cleanUp,
		signal: signal ?? new AbortController().signal,
	});
	if (signal === undefined) {
		await bench.run();
	} else {
		await t.throwsAsync(bench.run(), {message: 'interrupted'});
	}

	t.false(
		readMountTable().some(mount => mount.path.startsWith(temporary)),
		'No mount is left',
	);
	t.deepEqual(readdirSync(temporary).toSorted(), ['local', 's3'], 'No directory of a mount or a cache is left');
	return bench.results.rows();
};

test.serial('a workload is measured until it returns and until S3 has everything', async t => {
	const rows = await runBench(t, {rounds: 2});
	t.deepEqual(
		rows.map(({stretch}) => stretch),
		['returned', 'uploaded'],
	);
	for (const {cells} of rows) {
		t.is(cells.length, 1);
		t.is(cells[0]?.failed, undefined);
		t.is(cells[0]?.samples.length, 2);
	}

	const [returned, uploaded] = rows.map(({cells}) => cells[0]!.samples[0]!);
	t.true(uploaded!.value > 0 && uploaded!.value <= returned!.value, 'ops/s');
	t.true(uploaded!.requests! > 0 && uploaded!.chain! > 0 && uploaded!.sentBytes! > 0);
	t.true(uploaded!.cpuSeconds > 0 && uploaded!.residentMebibytesPeak > 10);
});

test.serial('a command that takes too long is a failure with its bound, and is not tried again', async t => {
	const rows = await runBench(t, {workload: hanging, subject: pnxVolume, stepMs: 1500, rounds: 3});
	for (const {cells} of rows) {
		t.deepEqual(cells[0]?.samples, []);
		t.is(cells[0]?.failed, 'did not end within 2 s');
		t.true(cells[0]!.bound! <= 2, 'It would have had 2 ops/s at most');
	}
});

test.serial('a subject that does not mount is a failure with what it said', async t => {
	const broken: Subject = {
		...pnxVolumeJournal,
		command: () => ({file: 'sh', args: ['-c', 'echo No such bucket; exit 1'], env: {}}),
	};
	const rows = await runBench(t, {subject: broken});
	t.is(rows.length, 2);
	for (const {cells} of rows) {
		t.is(cells[0]?.failed, 'pnx-volume journal ended: No such bucket');
	}
});

test.serial('an interruption ends the run at once', async t => {
	const interruption = new AbortController();
	const interrupted: Workload = {
		...hanging,
		async run(stage) {
			const run = hanging.run(stage);
			interruption.abort(new Error('interrupted'));
			await run;
		},
	};
	await runBench(t, {workload: interrupted, subject: pnxVolume, rounds: 2, signal: interruption.signal});
});
