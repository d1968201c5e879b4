/**
Section 15 of docs/SEMANTICS.md, and what of section 4 is about the journal, with daemons that are really killed, and
started again on what they left.
*/
import {readdir, readlink} from 'node:fs/promises';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import type {FaultSettings} from '../../../src/dev-server/dev-server.ts';
import {askStatus, askToEnd} from '../../../src/node/launch/control-client.ts';
import {createDeadline} from '../../../src/node/deadline.ts';
import {errnoOf} from '../../support/fs-under-test.ts';
import {startMountedNodes, type MountedNode, type MountedNodes} from './support/mounted-nodes.ts';
import {mountSmallDisk} from './support/small-disk.ts';
import {eventually, objectText} from '../../support/volume-nodes.ts';
import {fuse, python, root, testThatNeeds} from '../../support/needs.ts';
import {withoutAge} from '../../support/without-age.ts';

const {serial: onMounts} = testThatNeeds(fuse, python);
const {serial: onMountsOfRoot} = testThatNeeds(fuse, python, root);

/** Nothing gets into S3 by a PUT. */
const noUploads: Partial<FaultSettings> = {stalls: [{operation: 'PutObject', when: 'before'}]};

const start = async (t: ExecutionContext, options: Record<string, string>): Promise<MountedNodes> => {
	const nodes = await startMountedNodes({options});
	t.teardown(nodes.close);
	return nodes;
};

const drain = async ({socketPath}: MountedNode): Promise<unknown> =>
	askToEnd(socketPath, 'drain', createDeadline(300_000));

const conflictsOf = async ({socketPath}: MountedNode): Promise<number | undefined> =>
	(await askStatus(socketPath, createDeadline(300_000)))?.fileSystem.conflicts;

const stagingOf = async ({volumeDirectory}: MountedNode): Promise<string[]> =>
	readdir(join(volumeDirectory, 'staging'));

const countInLog = (node: MountedNode, message: string): number => node.log().split(`"msg":"${message}"`).length - 1;

onMounts(
	'15.1 What was closed or synced, and not uploaded yet, is uploaded at the next start of the daemon on this node. (after SIGKILL, with `durability: journal`)',
	async t => {
		const {a, server, bucket} = await start(t, {durability: 'journal'});
		await a.python("write('changed', b'old content')");
		await drain(a);
		await server.setFaults(noUploads);
		const program = a.start();
		t.teardown(() => program.kill());
		await program.run(`
closed = os.open(at('changed'), os.O_RDWR); os.write(closed, b'NEW'); os.close(closed)
synced = os.open(at('synced'), os.O_CREAT | os.O_WRONLY); os.write(synced, b'content'); os.fsync(synced)`);
		await a.kill();
		t.is(await errnoOf(program.run("os.write(synced, b'more')")), 'ENOTCONN');
		t.is(await objectText(bucket, 'changed'), 'old content');
		t.is(await objectText(bucket, 'synced'), undefined);
		await server.setFaults({});
		await a.restart();
		await eventually(
			t,
			'both are in S3',
			async () =>
				(await objectText(bucket, 'changed')) === 'NEW content' && (await objectText(bucket, 'synced')) === 'content',
		);
		await eventually(t, 'the staging directory is empty', async () => (await stagingOf(a)).length === 0);
		t.is(countInLog(a, 'recovered'), 2);
	},
);

onMounts(
	'15.1 What was closed or synced, and not uploaded yet, is uploaded at the next start of the daemon on this node. (after SIGKILL, with `durability: close`, when S3 was away)',
	async t => {
		const {a, server, bucket} = await start(t, {timeout: '10s'});
		await server.setFaults({errors: [{operation: 'PutObject', status: 503, code: 'ServiceUnavailable'}]});
		t.is(await errnoOf(a.python("write('closed', b'content')")), 'EIO');
		await eventually(t, 'it is in the journal', async () => (await stagingOf(a)).some(name => name.endsWith('.json')));
		await a.kill();
		await server.setFaults({});
		await a.restart();
		await eventually(t, 'it is in S3', async () => (await objectText(bucket, 'closed')) === 'content');
		await eventually(t, 'the staging directory is empty', async () => (await stagingOf(a)).length === 0);
	},
);

onMounts('15.2 Until that upload is done, the node shows the file as it was closed. (after SIGKILL)', async t => {
	const {a, server, bucket} = await start(t, {durability: 'journal'});
	await a.python("write('file', b'old')");
	await drain(a);
	await server.setFaults(noUploads);
	await a.python("write('file', b'newer')");
	await a.kill();
	await a.restart();
	t.deepEqual(await a.python("[read('file'), os.stat(at('file')).st_size]"), ['newer', 5]);
	t.is(await objectText(bucket, 'file'), 'old');
	await server.setFaults({});
	await eventually(t, 'it is in S3', async () => (await objectText(bucket, 'file')) === 'newer');
});

onMounts(
	'15.3 What was neither closed nor synced is gone, and S3 has the version before it. (after SIGKILL)',
	async t => {
		const {a, bucket} = await start(t, {});
		await a.python("write('file', b'old')");
		const program = a.start();
		t.teardown(() => program.kill());
		await program.run("fd = os.open(at('file'), os.O_RDWR); os.write(fd, b'NEW')");
		t.is((await stagingOf(a)).length, 1);
		await a.kill();
		await a.restart();
		t.is(await a.python("read('file')"), 'old');
		t.is(await objectText(bucket, 'file'), 'old');
		t.deepEqual(await stagingOf(a), []);
	},
);

onMounts(
	'15.4 An upload that was complete just before the crash is recognized, and not counted as a conflict. (after SIGKILL)',
	async t => {
		const {a, server, bucket} = await start(t, {durability: 'journal'});
		await a.python("write('file', b'old')");
		await drain(a);
		await server.setFaults({stalls: [{operation: 'PutObject', when: 'after'}]}); // Stored, and never answered.
		await a.python("write('file', b'new')");
		await eventually(t, 'S3 has it', async () => (await objectText(bucket, 'file')) === 'new');
		await a.kill();
		await server.setFaults({});
		const before = await bucket.head('file');
		await a.restart();
		await drain(a);
		t.is(await conflictsOf(a), 0);
		t.deepEqual(withoutAge(await bucket.head('file')), withoutAge(before));
		t.deepEqual(await stagingOf(a), []);
		t.is(countInLog(a, 'recovered'), 1);
	},
);

onMounts('15.5 An upload after a crash is the last `close()` in the sense of 5.11. (after SIGKILL)', async t => {
	const {a, b, server, bucket} = await start(t, {durability: 'journal'});
	await a.python("write('file', b'old')");
	await drain(a);
	await server.setFaults(noUploads);
	await a.python("write('file', b'closed before the crash')");
	await a.kill();
	await server.setFaults({});
	await b.python("write('file', b'closed by another node meanwhile')");
	await drain(b);
	t.is(await objectText(bucket, 'file'), 'closed by another node meanwhile');
	await a.restart();
	await drain(a);
	t.is(await objectText(bucket, 'file'), 'closed before the crash');
	t.is(await conflictsOf(a), 1);
	await eventually(t, 'the conflict is logged', () => countInLog(a, 'conflict') === 1);
});

/** On a disk in memory: thousands of syncs of a real one would take minutes. */
const startInMemory = async (t: ExecutionContext, options: Record<string, string>): Promise<MountedNodes> => {
	const {TMPDIR: before} = process.env;
	process.env['TMPDIR'] = await mountSmallDisk(t, 2 ** 28);
	try {
		return await start(t, options);
	} finally {
		if (before === undefined) {
			delete process.env['TMPDIR'];
		} else {
			process.env['TMPDIR'] = before;
		}
	}
};

/** The staging files that a daemon has open. */
const openedByDaemon = async (node: MountedNode): Promise<string[]> => {
	const directory = `/proc/${node.daemon().pid}/fd`;
	const names = await readdir(directory);
	const targets = await Promise.all(names.map(async name => readlink(join(directory, name)).catch(() => '')));
	return targets.filter(target => target.startsWith(join(node.volumeDirectory, 'staging')));
};

onMountsOfRoot(
	'4.17 With `durability: journal`, changes of a file that wait for their upload are merged, so that neither the cost of an `fsync()` nor what the node holds for the file grows with the number of `fsync()`s.',
	async t => {
		const {a, server, bucket} = await startInMemory(t, {durability: 'journal'});
		await server.setFaults(noUploads);
		let expected = ' '.repeat(40);
		await a.python("write('file', b' ' * 40)");
		for (let run = 0; run < 10; run++) {
			const program = a.start();
			t.teardown(() => program.kill());
			await program.run(`
fd = os.open(at('file'), os.O_WRONLY)
for count in range(${run * 200}, ${run * 200 + 200}):
    line = b'%d,' % count
    os.pwrite(fd, line, count % 7 * 5)
    os.pwrite(fd, line, os.fstat(fd).st_size)
    os.fsync(fd)`);
			for (let count = run * 200; count < run * 200 + 200; count++) {
				const offset = (count % 7) * 5;
				const line = `${count},`;
				expected = `${expected.slice(0, offset)}${line}${expected.slice(offset + line.length)}${line}`;
			}

			const names = await stagingOf(a);
			const held = {
				layers: names.filter(name => name.endsWith('.data')).length,
				records: names.filter(name => name.endsWith('.json')).length,
				descriptors: (await openedByDaemon(a)).length,
			};
			// What the daemon before it has left waits as it is, in one or two layers more.
			const heldMax = run < 5 ? 2 : 4;
			t.true(Math.max(...Object.values(held)) <= heldMax, JSON.stringify(held));
			if (run === 4) {
				await a.kill();
				await program.close();
				await a.restart();
			} else {
				await program.close();
			}

			t.is(await a.python("read('file')"), expected);
		}

		await server.setFaults({});
		await eventually(t, 'all is in S3', async () => (await objectText(bucket, 'file')) === expected);
		await eventually(t, 'the staging directory is empty', async () => (await stagingOf(a)).length === 0);
	},
);
