/** What a program sees of inode numbers, on a real mount. */
import test from 'ava';
import {startMountedNodes, type MountedNodes} from './support/mounted-nodes.ts';
import {fuse, isMet, python, testThatNeeds} from '../../support/needs.ts';

const {serial: onMounts} = testThatNeeds(fuse, python);

let nodes: MountedNodes;
if (isMet(fuse, python)) {
	test.before(async () => {
		nodes = await startMountedNodes({count: 1});
	});

	test.after.always('the mount ends without a bug', async t => {
		const log = nodes.a.log();
		await nodes.close();
		t.notRegex(log, /met a bug/);
	});
}

onMounts(
	'7.22 The inode number of a file stays the same while it is open or the kernel knows it, also when it is changed or renamed on the node.',
	async t => {
		const {a} = nodes;
		const program = a.start();
		t.teardown(() => program.kill());
		// What is open is known to the kernel for as long.
		await program.run(`
def number(name):
    return os.lstat(at(name)).st_ino
def numbers():
    return [number(name) for name in ('d', 'd/file')]
os.mkdir(at('d')); write('d/file', b'x')
held = [os.open(at(name), os.O_RDONLY) for name in ('d', 'd/file')]
first = numbers()`);
		t.true(await program.run('numbers() == first'));
		await program.run("append('d/file', b'y'); os.rename(at('d'), at('other')); os.rename(at('other'), at('d'))");
		t.true(await program.run('numbers() == first'));
		t.is(await program.run('os.fstat(held[1]).st_ino == first[1]'), true);
		await program.run("os.unlink(at('d/file')); write('d/file', b'new')");
		t.false(await program.run("number('d/file') in first"));
	},
);
