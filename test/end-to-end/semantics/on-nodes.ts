/**
Section 5 of docs/SEMANTICS.md on real mounts: daemons in processes of their own, one S3 server, the kernel in between.
*/
import test from 'ava';
import {askStatus} from '../../../src/node/launch/control-client.ts';
import {createDeadline} from '../../../src/node/deadline.ts';
import {errnoOf} from '../../support/fs-under-test.ts';
import {startMountedNodes, type MountedNode, type MountedNodes} from './support/mounted-nodes.ts';
import {eventually, objectText} from '../../support/volume-nodes.ts';
import {fuse, isMet, python, testThatNeeds} from '../../support/needs.ts';

const {serial: onMounts} = testThatNeeds(fuse, python);

let nodes: MountedNodes;
let versioned: MountedNodes;
if (isMet(fuse, python)) {
	test.before(async () => {
		[nodes, versioned] = await Promise.all([startMountedNodes({count: 4}), startMountedNodes({isVersioned: true})]);
	});

	test.after.always('the mounts end without a bug', async t => {
		const logs = [nodes, versioned].flatMap(set => set.nodes.map(node => node.log()));
		await Promise.all([nodes.close(), versioned.close()]);
		for (const log of logs) {
			t.notRegex(log, /met a bug/);
		}
	});
}

const conflictsOf = async ({socketPath}: MountedNode): Promise<number | undefined> =>
	(await askStatus(socketPath, createDeadline(300_000)))?.fileSystem.conflicts;

/** Opens on a node in a program that ends with the test, and leaves the descriptor in the program's `fd`. */
const openOn = async (t: {teardown(close: () => void): void}, node: MountedNode, name: string, flags: string) => {
	const program = node.start();
	t.teardown(() => program.kill());
	await program.run(`fd = os.open(at('${name}'), ${flags}, 0o644)`);
	return program;
};

onMounts('5.3 A node sees its own changes at once. (through the kernel)', async t => {
	const {a} = nodes;
	t.deepEqual(
		await a.python(`
seen = []
os.mkdir(at('own'))
seen.append(os.listdir(at('own')))
write('own/file', b'x')
seen.append(os.listdir(at('own')))
os.chmod(at('own/file'), 0o640)
seen.append(os.stat(at('own/file')).st_mode & 0o777)
write('own/file', b'longer')
seen.append(os.stat(at('own/file')).st_size)
os.rename(at('own/file'), at('own/moved'))
seen.append(os.listdir(at('own')))
seen.append(read('own/moved'))
os.unlink(at('own/moved'))
seen.append([os.listdir(at('own')), os.path.exists(at('own/moved'))])
os.rmdir(at('own'))
seen.append(os.path.exists(at('own')))
seen`),
		[[], ['file'], 0o640, 6, ['moved'], 'longer', [[], false], false],
	);
});

onMounts(
	'5.4 A new file is on other nodes from its first `close()` or `fsync()` on, not before. (through the kernel)',
	async t => {
		const {a, b} = nodes;
		await a.python("os.mkdir(at('new'))");
		const closed = await openOn(t, a, 'new/closed', 'os.O_CREAT | os.O_WRONLY');
		const synced = await openOn(t, a, 'new/synced', 'os.O_CREAT | os.O_WRONLY');
		await closed.run("os.write(fd, b'x')");
		await synced.run("os.write(fd, b'x')");
		t.deepEqual(await b.python("os.listdir(at('new'))"), []);
		t.is(await errnoOf(b.python("os.stat(at('new/closed'))")), 'ENOENT');
		t.is(await errnoOf(b.python("os.stat(at('new/synced'))")), 'ENOENT');
		await closed.run('os.close(fd)');
		await synced.run('os.fsync(fd)');
		t.is(await b.python("read('new/closed')"), 'x');
		t.is(await b.python("read('new/synced')"), 'x');
		await eventually(
			t,
			'the listing has both',
			async () => String(await b.python("sorted(os.listdir(at('new')))")) === 'closed,synced',
		);
	},
);

onMounts(
	'5.5 A file made with O_EXCL, a directory, a symbolic link and a node of `mknod()` are on other nodes when the call returns. (through the kernel)',
	async t => {
		const {a, b} = nodes;
		const maker = await openOn(t, a, 'made-file', 'os.O_CREAT | os.O_EXCL | os.O_WRONLY');
		await maker.run(
			"os.mkdir(at('made-directory')); os.symlink('target', at('made-link')); os.mkfifo(at('made-fifo'))",
		);
		t.deepEqual(
			await b.python(
				"[stat.S_IFMT(os.lstat(at('made-' + name)).st_mode) for name in ['file', 'directory', 'link', 'fifo']]",
			),
			[0o100_000, 0o040_000, 0o120_000, 0o010_000],
		);
	},
);

onMounts(
	'5.6 A read returns bytes of one version of the file, never a mixture. (through the kernel, of one open)',
	async t => {
		const {a, b} = nodes;
		await a.python("write('one-version', b'x' * (16 << 20))");
		const reader = await openOn(t, b, 'one-version', 'os.O_RDONLY');
		t.is(await reader.run('set(os.pread(fd, 4096, 0)) == {120}'), true);
		await a.python("write('one-version', b'y' * (16 << 20))");
		// From the end, and over the borders of blocks: the node has the beginning.
		const outcome = await reader.run(`
outcome = []
for block in range(15, -1, -1):
    try:
        outcome.append(''.join(sorted(set(os.pread(fd, 4096, max(0, (block << 20) - 2048)).decode()))))
    except OSError as error:
        outcome.append(errno.errorcode[error.errno])
sorted(set(outcome))`);
		t.deepEqual(outcome, ['ESTALE', 'x']);
		t.is(await b.python("set(read('one-version')) == {121}"), true, 'A new open has the new version');
	},
);

onMounts(
	'5.6 A read returns bytes of one version of the file, never a mixture. (through the kernel, while a newer version is open on the node)',
	async t => {
		const {a, b} = nodes;
		for (let round = 0; round < 3; round++) {
			await a.python("write('read-on', b'x' * (16 << 20))");
			const reader = await openOn(t, b, 'read-on', 'os.O_RDONLY');
			await reader.run('os.read(fd, 1 << 20)');
			await a.python("write('read-on', b'y' * (16 << 20))");
			await b.python("read('read-on')");
			const outcome = await reader.run(`
seen = set()
try:
    while True:
        block = os.read(fd, 1 << 20)
        if not block:
            break
        seen |= set(block)
except OSError as error:
    assert error.errno == errno.ESTALE
''.join(sorted(map(chr, seen)))`);
			t.true(outcome === 'x' || outcome === '', `It had read x, and goes on with: ${String(outcome)}`);
		}
	},
);

onMounts(
	'5.7 A reader keeps the version that it opened; when that version is gone from S3, or a newer one was opened on the same node, its reads fail with ESTALE. (through the kernel, when it is gone)',
	async t => {
		const {a, b} = nodes;
		await a.python("write('replaced', b'old content'); write('deleted', b'old content')");
		// For writing, too: the open of a small file for reading brings its bytes along.
		const replaced = await openOn(t, b, 'replaced', 'os.O_RDWR');
		const deleted = await openOn(t, b, 'deleted', 'os.O_RDWR');
		await a.python("write('replaced', b'new content'); os.unlink(at('deleted'))");
		t.is(await errnoOf(replaced.run('os.read(fd, 4096)')), 'ESTALE');
		t.is(await errnoOf(deleted.run('os.read(fd, 4096)')), 'ESTALE');
	},
);

onMounts(
	'5.7 A reader keeps the version that it opened; when that version is gone from S3, or a newer one was opened on the same node, its reads fail with ESTALE. (through the kernel, when a newer one was opened)',
	async t => {
		const {a, b} = nodes;
		await a.python("write('reopened', b'old content')");
		const reader = await openOn(t, b, 'reopened', 'os.O_RDONLY');
		t.is(await reader.run('os.pread(fd, 3, 0)'), 'old');
		await a.python("write('reopened', b'new content')");
		t.is(await b.python("read('reopened')"), 'new content');
		t.is(await errnoOf(reader.run('os.pread(fd, 3, 4)')), 'ESTALE');
	},
);

onMounts(
	'5.8 In a bucket with versioning a reader keeps its version also when the file is replaced or deleted elsewhere, until a newer one is opened on the same node. (through the kernel)',
	async t => {
		const {a, b} = versioned;
		await a.python("write('replaced', b'x' * (4 << 20)); write('deleted', b'x' * (4 << 20))");
		const replaced = await openOn(t, b, 'replaced', 'os.O_RDONLY');
		const deleted = await openOn(t, b, 'deleted', 'os.O_RDONLY');
		await a.python("write('replaced', b'y' * (4 << 20)); os.unlink(at('deleted'))");
		const readAll = 'content = os.pread(fd, 4 << 20, 0); [len(content), list(set(content))]';
		t.deepEqual(await replaced.run(readAll), [4 << 20, [0x78]]);
		t.deepEqual(await deleted.run(readAll), [4 << 20, [0x78]]);
	},
);

onMounts(
	'5.10 When two nodes append to one file at the same time, the bytes of both are kept, in the order in which they were closed. (through the kernel)',
	async t => {
		const {a, b, bucket} = nodes;
		const [first, second] = [
			await openOn(t, a, 'log', 'os.O_CREAT | os.O_APPEND | os.O_WRONLY'),
			await openOn(t, b, 'log', 'os.O_CREAT | os.O_APPEND | os.O_WRONLY'),
		];
		await second.run("os.write(fd, b'from b\\n')");
		await first.run("os.write(fd, b'from a\\n')");
		await first.run('os.close(fd)');
		await second.run('os.close(fd)');
		t.is(await objectText(bucket, 'log'), 'from a\nfrom b\n');
	},
);

onMounts(
	'5.10 When two nodes append to one file at the same time, the bytes of both are kept, in the order in which they were closed. (through the kernel, four nodes that race)',
	async t => {
		const count = 10;
		await Promise.all(
			nodes.nodes.map(async (node, index) =>
				node.python(`for number in range(${count}): append('race.log', b'${index} %d\\n' % number)`),
			),
		);
		const lines = (await objectText(nodes.bucket, 'race.log'))?.trimEnd().split('\n') ?? [];
		t.is(lines.length, nodes.nodes.length * count);
		for (const index of nodes.nodes.keys()) {
			t.deepEqual(
				lines.filter(line => line.startsWith(`${index} `)),
				Array.from({length: count}, (_, number) => `${index} ${number}`),
			);
		}
	},
);

onMounts(
	'5.11 When two nodes change one file otherwise, the last `close()` wins with its whole version, and the conflict is counted and logged. (through the kernel)',
	async t => {
		const {a, b, bucket} = nodes;
		await a.python("write('contested', b'old')");
		const before = [await conflictsOf(a), await conflictsOf(b)];
		const [first, second] = [
			await openOn(t, a, 'contested', 'os.O_TRUNC | os.O_WRONLY'),
			await openOn(t, b, 'contested', 'os.O_TRUNC | os.O_WRONLY'),
		];
		await first.run("os.write(fd, b'the content of a')");
		await second.run("os.write(fd, b'b wins')");
		await first.run('os.close(fd)');
		await second.run('os.close(fd)');
		t.is(await objectText(bucket, 'contested'), 'b wins');
		t.is(await a.python("read('contested')"), 'b wins');
		t.deepEqual([await conflictsOf(a), await conflictsOf(b)], [before[0], before[1]! + 1]);
		const isLogged = (log: string): boolean =>
			log.split('\n').some(line => line.includes('"msg":"conflict"') && line.includes('"path":"contested"'));
		await eventually(t, 'the log of b has it', () => isLogged(b.log()));
		t.false(isLogged(a.log()));
	},
);

onMounts(
	'5.12 When a node changed part of a file and the other bytes of that version are gone from S3 meanwhile, its `close()` fails with ESTALE. (through the kernel)',
	async t => {
		const {a, b, bucket} = nodes;
		await a.python("write('partly', b'old content')");
		const writer = await openOn(t, b, 'partly', 'os.O_RDWR');
		await writer.run("os.write(fd, b'OLD')");
		await a.python("write('partly', b'new content')");
		t.is(await errnoOf(writer.run('os.close(fd)')), 'ESTALE');
		t.is(await objectText(bucket, 'partly'), 'new content');
	},
);

onMounts(
	'5.13 Of all nodes that create one file with O_EXCL, or one directory, at the same time, exactly one succeeds, and the others get EEXIST. (through the kernel)',
	async t => {
		const outcomes = ['EEXIST', 'EEXIST', 'EEXIST', undefined];
		const programs = nodes.nodes.map(node => node.start());
		t.teardown(() => programs.forEach(program => program.kill()));
		for (let round = 0; round < 10; round++) {
			for (const call of [
				`os.close(os.open(at('lock-${round}'), os.O_CREAT | os.O_EXCL | os.O_WRONLY))`,
				`os.mkdir(at('lock-${round}.d'))`,
			]) {
				t.deepEqual(
					(await Promise.all(programs.map(async program => errnoOf(program.run(call))))).toSorted(),
					outcomes,
					call,
				);
			}
		}
	},
);

onMounts(
	'5.14 A file that was deleted elsewhere while it was written here comes back when it is closed; with what was appended, if it was only appended to. (through the kernel)',
	async t => {
		const {a, b, bucket} = nodes;
		for (const [name, flags] of [
			['rewritten', 'os.O_TRUNC | os.O_WRONLY'],
			['appended', 'os.O_APPEND | os.O_WRONLY'],
		] as const) {
			await a.python(`write('${name}', b'old')`);
			const writer = await openOn(t, b, name, flags);
			await writer.run("os.write(fd, b'new')");
			await a.python(`os.unlink(at('${name}'))`);
			t.is(await objectText(bucket, name), undefined);
			await writer.run('os.close(fd)');
			t.is(await objectText(bucket, name), 'new');
			t.is(await b.python(`read('${name}')`), 'new');
		}
	},
);

onMounts(
	'5.15 With `consistency: ttl` an `open()` may see a version that is at most `metadata-ttl` old, and asks S3 for nothing that the node knows. (through the kernel)',
	async t => {
		const [a, , , node] = nodes.nodes;
		await node!.stop(); // There are four.
		await node!.restart({options: {consistency: 'ttl', 'metadata-ttl': '1h'}});
		await a!.python("write('remembered', b'old')");
		t.is(await node!.python("read('remembered')"), 'old');
		await a!.python("write('remembered', b'new')");
		const countBefore = await nodes.server.countRequests();
		t.is(await node!.python("read('remembered')"), 'old');
		t.is(await nodes.server.countRequests(), countBefore);
		await node!.stop();
		await node!.restart({options: {consistency: 'ttl', 'metadata-ttl': '1s'}});
		await node!.python("read('remembered')");
		await a!.python("write('remembered', b'newest')");
		await eventually(
			t,
			'the node sees the new version',
			async () => (await node!.python("read('remembered')")) === 'newest',
		);
	},
);

onMounts(
	'5.17 An `open()` with O_CREAT of a file that was deleted or renamed on another node makes it anew, and one without fails with ENOENT. (log rotation)',
	async t => {
		// So that the kernel believes in the name for as long as the test takes.
		const own = await startMountedNodes({options: {'metadata-ttl': '1h'}});
		t.teardown(own.close);
		const {a, b, bucket} = own;
		const program = a.start();
		t.teardown(() => program.kill());
		for (let round = 0; round < 3; round++) {
			for (const takeAway of ["os.unlink(at('rotated'))", "os.rename(at('rotated'), at('rotated.1'))"]) {
				await b.python("write('rotated', b'old')");
				await program.run("read('rotated')");
				await b.python(takeAway);
				t.is(await errnoOf(program.run("read('rotated')")), 'ENOENT');
				await b.python("write('rotated', b'old')");
				await program.run("read('rotated')");
				await b.python(takeAway);
				await program.run("append('rotated', b'x')");
				t.is(await objectText(bucket, 'rotated'), 'x');
			}
		}
	},
);
