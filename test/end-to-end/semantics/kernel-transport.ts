/** Promises of volumes with `transport: kernel`, on real mounts. */
import test from 'ava';
import {startMountedNodes, type MountedNodes} from './support/mounted-nodes.ts';
import {eventually, objectText} from '../../support/volume-nodes.ts';
import {fuse, isMet, python, root, testThatNeeds} from '../../support/needs.ts';

const {serial: onMountsOfRoot} = testThatNeeds(fuse, python, root);

let nodes: MountedNodes;
if (isMet(fuse, python, root)) {
	test.before(async () => {
		// The kernel believes in what it knows of a file for all of the test: then it asks only for what it has to.
		nodes = await startMountedNodes({options: {transport: 'kernel', 'metadata-ttl': '1h'}});
	});

	test.after.always('the mounts end without a bug', async t => {
		const log = nodes.nodes.map(node => node.log()).join('');
		await nodes.close();
		t.notRegex(log, /met a bug|malformed/);
	});
}

onMountsOfRoot(
	'7.23 With `transport: kernel` a file that was not renamed, nor replaced while it was open, has the same inode number on all nodes and after a restart of the daemon.',
	async t => {
		const {a, b} = nodes;
		await a.python("os.mkdir(at('numbers')); write('numbers/file', b'x')");
		const numbers = "[os.lstat(at(name)).st_ino for name in ('numbers', 'numbers/file')]";
		const first = await a.python(numbers);
		t.deepEqual(await b.python(numbers), first);
		t.deepEqual(await b.python("[entry.inode() for entry in os.scandir(at('numbers'))]"), [(first as number[])[1]]);
		await a.kill();
		await a.restart();
		t.deepEqual(await a.python(numbers), first);
		t.is(new Set(first as number[]).size, 2);
	},
);

onMountsOfRoot(
	'7.24 With `transport: kernel` versions of a file that are open on a node at the same time have different inode numbers and separate pages: each can be mapped, and none shows bytes of another.',
	async t => {
		const {a, b} = nodes;
		for (const [how, replace] of [
			['in place', "write('versions', b'y' * 200000)"],
			['by rename', "write('new', b'y' * 200000); os.rename(at('new'), at('versions'))"],
		] as const) {
			await a.python("write('versions', b'x' * 100000)");
			const [older, newer] = [b.start(), b.start()];
			t.teardown(() => older.kill());
			t.teardown(() => newer.kill());
			const open = "fd = os.open(at('versions'), os.O_RDONLY); number = os.fstat(fd).st_ino";
			await older.run(`${open}; shared = mmap.mmap(fd, 0, prot=mmap.PROT_READ); sum(shared[:])`);
			await a.python(replace);
			await newer.run(open);
			const maps =
				'[mmap.mmap(fd, 0, flags=flags, prot=mmap.PROT_READ) for flags in (mmap.MAP_SHARED, mmap.MAP_PRIVATE)]';
			t.deepEqual(await newer.run(`[(len(m), list(set(m[:]))) for m in ${maps}]`), [
				[200_000, [121]],
				[200_000, [121]],
			]);
			t.is(await newer.run('os.pread(fd, 300000, 0) == b"y" * 200000'), true, how);
			t.is(await newer.run("os.sendfile(os.open('/dev/null', os.O_WRONLY), fd, 0, 300000) > 0"), true, how);
			t.is(await older.run('set(shared[:]) == {120}'), true, `${how}: what was mapped before stays`);
			t.is(await older.run('os.fstat(fd).st_ino == number'), true, how);
			t.not(await newer.run('number'), await older.run('number'), how);
			t.is(await newer.run("os.stat(at('versions')).st_ino == number"), true, `${how}: the name is the newer one`);
			await Promise.all([older.close(), newer.close()]);
		}
	},
);

onMountsOfRoot(
	'7.25 With `transport: kernel` a program that waits for S3 can be killed; what it had closed or synced is uploaded.',
	async t => {
		const {a, bucket, server} = nodes;
		const program = a.start();
		t.teardown(() => program.kill());
		await program.run("write('known', b'content')");
		t.teardown(async () => server.setFaults({holds: []}));
		await server.setFaults({holds: [{operation: 'PutObject', key: 'killed'}, {key: 'unknown'}]});
		// close(2); stat(2), newfstatat(2): on x86-64 and arm64 (asm/unistd*.h).
		for (const [wait, calls] of [
			["write('killed', b'dying words')", "('3', '57')"],
			["os.stat(at('unknown'))", "('4', '262', '79')"],
		] as const) {
			const child = await program.run(`
child = os.fork()
if child == 0:
    try:
        ${wait}
    finally:
        os._exit(1)
child`);
			await eventually(
				t,
				'the program waits in the call',
				async () =>
					program.run(`open('/proc/%d/syscall' % ${String(child)}).read().split()[0] in ${calls}`) as Promise<boolean>,
			);
			await program.run(`os.kill(${String(child)}, 15)`);
			t.is(await program.run(`os.WTERMSIG(os.waitpid(${String(child)}, 0)[1])`), 15, wait);
		}

		await server.setFaults({holds: []});
		await eventually(
			t,
			'what was closed is uploaded',
			async () => (await objectText(bucket, 'killed').catch(() => '')) === 'dying words',
		);
	},
);
