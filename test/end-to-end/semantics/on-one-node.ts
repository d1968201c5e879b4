/** Promises of docs/SEMANTICS.md that speak of the daemon itself: its log, its end, and what its callers wait for. */
import {readdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {createDeadline} from '../../../src/node/deadline.ts';
import {askStatus} from '../../../src/node/launch/control-client.ts';
import {errnoOf} from '../../support/fs-under-test.ts';
import {startMountedNodes, type MountedNodes} from './support/mounted-nodes.ts';
import {fuse, python, testThatNeeds} from '../../support/needs.ts';
import {eventually, objectText} from '../../support/volume-nodes.ts';

const {serial: onMounts} = testThatNeeds(fuse, python);

const start = async (t: ExecutionContext, options: Record<string, string>): Promise<MountedNodes> => {
	const nodes = await startMountedNodes({count: 1, options});
	t.teardown(nodes.close);
	return nodes;
};

onMounts(
	'4.8 Changes that S3 refuses for good, and of which no `close()` reported it, are kept in the directory `failed` of the staging directory, and the log names the file. (of a daemon)',
	async t => {
		const {a, server} = await start(t, {durability: 'journal'});
		await server.setFaults({errors: [{operation: 'PutObject', status: 400, code: 'InvalidArgument'}]});
		await a.python("write('refused', b'precious')");
		const failed = join(a.volumeDirectory, 'staging', 'failed');
		const keptNames = async (): Promise<string[]> =>
			(await readdir(failed).catch(() => [])).filter(name => name.endsWith('.data'));
		await eventually(t, 'the bytes are kept', async () => (await keptNames()).length === 1);
		t.is(await readFile(join(failed, String((await keptNames())[0])), 'utf8'), 'precious');
		await eventually(t, 'the log names the file', () =>
			a
				.log()
				.split('\n')
				.some(line => line.includes('"msg":"upload failed"') && line.includes('"path":"refused"')),
		);
	},
);

onMounts(
	'4.16 Changes that no `close()` waits for stay in the journal while S3 does not allow their upload, and are uploaded when it does. (of a daemon and the next)',
	async t => {
		const {a, server, bucket} = await start(t, {durability: 'journal'});
		await server.setFaults({errors: [{operation: 'PutObject', status: 403, code: 'AccessDenied'}]});
		await a.python("write('closed', b'precious')");
		const isTriedAgain = async (): Promise<boolean> => (await server.countRequests({operation: 'PutObject'})) > 1;
		await eventually(t, 'it is tried again', isTriedAgain);
		await a.kill();
		await server.clearRequests();
		await a.restart();
		await eventually(t, 'the next daemon tries it again', isTriedAgain);
		t.is(await a.python("read('closed')"), 'precious');
		t.false((await readdir(join(a.volumeDirectory, 'staging'))).includes('failed'));
		await server.setFaults({});
		await eventually(t, 'S3 has it', async () => (await objectText(bucket, 'closed')) === 'precious');
	},
);

onMounts(
	'4.10 When a volume is unmounted, what is dirty is uploaded first. (by a daemon that is told to end)',
	async t => {
		const {a, server, bucket} = await start(t, {durability: 'journal'});
		await server.setFaults({latencyMsByOperation: {PutObject: 1000}});
		await a.python("write('closed', b'content')");
		t.is(await objectText(bucket, 'closed'), undefined);
		t.is(await a.stop(), 0);
		t.is(await objectText(bucket, 'closed'), 'content');
		t.deepEqual(await readdir(join(a.volumeDirectory, 'staging')), []);
	},
);

onMounts(
	'14.3 Every call that needs S3 fails when `timeout` is over, also when S3 takes the connection and never answers. (through the kernel)',
	async t => {
		const {a, server} = await start(t, {timeout: '5s', 'metadata-ttl': '0s'});
		await a.python("os.mkdir(at('directory')); write('file', b'content'); write('directory/file', b'content')");
		await server.setFaults({stalls: [{when: 'before'}]});
		for (const call of [
			"os.stat(at('file'))",
			"os.open(at('file'), os.O_RDONLY)",
			"os.open(at('file'), os.O_WRONLY | os.O_TRUNC)",
			"write('new', b'content')",
			"os.mkdir(at('new.d'))",
			"os.rmdir(at('directory'))",
			"os.unlink(at('file'))",
			"os.rename(at('file'), at('other'))",
			"os.symlink('file', at('link'))",
			"os.chmod(at('file'), 0o600)",
			"os.listdir(at('directory'))",
		]) {
			t.is(await errnoOf(a.python(call)), 'EIO', call);
		}

		await server.setFaults({});
		await eventually(t, 'it works again', async () => (await errnoOf(a.python("read('file')"))) === undefined);
		t.is(await a.python("read('file')"), 'content');
	},
);

onMounts(
	'14.6 Once a call has used up its time without an answer of S3, further calls fail after one short try, until S3 answers again.',
	async t => {
		const {a, server} = await start(t, {timeout: '5s'});
		await a.python("write('known', b'content')");
		await server.setFaults({stalls: [{when: 'before'}]});
		await server.clearRequests();
		const creates = await Promise.all(
			Array.from({length: 8}, async (_, index) => errnoOf(a.python(`write('new-${index}', b'x')`))),
		);
		t.deepEqual(creates, Array(8).fill('EIO'));
		const asked = (await server.listRequests()).filter(({key}) => key.startsWith('new-'));
		t.is(
			new Set(asked.map(({key}) => key.replace(/\/$/, ''))).size,
			1,
			'The kernel lets in one create of a directory at a time',
		);
		await server.setFaults({});
		await eventually(t, 'it works again', async () => (await errnoOf(a.python("write('new-0', b'x')"))) === undefined);
	},
);

onMounts('14.7 While up to 60 calls wait for S3, what the node has in memory is answered as always.', async t => {
	// So that none of them ends before all wait.
	const {a, server} = await start(t, {timeout: '5m'});
	await a.python("write('known', b'content')");
	await server.setFaults({stalls: [{operation: 'PutObject', when: 'before'}]});
	const program = a.start();
	await program.run(
		"import threading\nfor i in range(60): threading.Thread(target=write, args=(f'file-{i}', b'x'), daemon=True).start()",
	);
	await eventually(
		t,
		'60 closes wait',
		async () => (await askStatus(a.socketPath, createDeadline(10_000)))?.fileSystem.uploadsPending === 60,
	);
	t.is(await a.python("os.statvfs(at('')).f_bsize"), 4096);
	t.is(await a.python("os.stat(at('file-0')).st_size"), 1);
	t.is((await askStatus(a.socketPath, createDeadline(10_000)))?.fileSystem.uploadsPending, 60, 'They still wait');
	program.kill();
	await a.kill();
});
