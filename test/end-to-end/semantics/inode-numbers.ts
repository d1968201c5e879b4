/** What a program sees of inode numbers when the kernel has forgotten its files, on a real mount. */
import {execFile, spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import test from 'ava';
import {startMountedNodes, type MountedNodes} from './support/mounted-nodes.ts';
import {eventually} from '../../support/volume-nodes.ts';
import {fuse, isMet, python, root, testThatNeeds} from '../../support/needs.ts';

const run = promisify(execFile);
const {serial: onMountsOfRoot} = testThatNeeds(fuse, python, root);

let nodes: MountedNodes;
if (isMet(fuse, python, root)) {
	test.before(async () => {
		nodes = await startMountedNodes({count: 1, isEachLogged: true});
	});

	test.after.always('the mount ends without a bug', async t => {
		const log = nodes.a.log();
		await nodes.close();
		t.notRegex(log, /met a bug/);
	});
}

/** Has the kernel drop the names and files that nobody has open, of every file system. */
const forgetFiles = async (): Promise<void> => writeFile('/proc/sys/vm/drop_caches', '2');

onMountsOfRoot(
	'7.22 The inode number of a file stays the same while it is open or the kernel knows it, and for 5 minutes more, also when it is changed or renamed on the node.',
	async t => {
		const {a} = nodes;
		const program = a.start();
		t.teardown(() => program.kill());
		await program.run(`
def number(name):
    return os.lstat(at(name)).st_ino
def numbers():
    return [number(name) for name in ('d', 'd/file', 'd/link')]
os.mkdir(at('d')); write('d/file', b'x'); os.symlink('/', at('d/link'))
first = numbers()`);
		await forgetFiles();
		t.true(await program.run('numbers() == first'));
		await program.run("append('d/file', b'y'); os.rename(at('d'), at('other')); os.rename(at('other'), at('d'))");
		await forgetFiles();
		t.true(await program.run('numbers() == first'));
		await program.run("os.unlink(at('d/file')); write('d/file', b'new')");
		t.false(await program.run("number('d/file') in first"));
	},
);

onMountsOfRoot(
	'7.22 The inode number of a file stays the same while it is open or the kernel knows it, and for 5 minutes more, also when it is changed or renamed on the node. (tar replaces its placeholders of symbolic links)',
	async t => {
		const {a} = nodes;
		const packed = await mkdtemp(join(tmpdir(), 'pnx-tar-'));
		t.teardown(async () => rm(packed, {recursive: true, force: true}));
		const script = 'ln -s ../x relative; ln -s /etc/hostname absolute; echo hi >file; tar cf - relative absolute';
		const {stdout: links} = await run('sh', ['-ec', script], {cwd: packed, encoding: 'buffer'});
		const {stdout: rest} = await run('tar', ['cf', '-', 'file'], {cwd: packed, encoding: 'buffer'});
		await a.shell('mkdir unpacked');
		const tar = spawn('tar', ['-C', a.at('unpacked'), '-xif', '-'], {stdio: ['pipe', 'inherit', 'inherit']});
		const exited = once(tar, 'exit');
		tar.stdin.write(links);
		await eventually(t, 'the placeholders are there', async () => (await listUnpacked()).split('\n').length > 2);
		await forgetFiles();
		tar.stdin.end(rest);
		t.deepEqual(await exited, [0, null]);
		t.is(await a.shell('cd unpacked; readlink relative absolute; cat file'), '../x\n/etc/hostname\nhi\n');
	},
);

/** tar makes an empty file for each symbolic link that leads out of the directory, and the links themselves last. */
const listUnpacked = async (): Promise<string> => nodes.a.shell('ls unpacked');

onMountsOfRoot(
	'7.22 The inode number of a file stays the same while it is open or the kernel knows it, and for 5 minutes more, also when it is changed or renamed on the node. (git reads no file again)',
	async t => {
		const {a} = nodes;
		await a.shell(`git init -q work; cd work
for i in 1 2 3 4 5; do echo $i >$i; touch -d '1 hour ago' $i; done
git add . && git status --short >../seen`);
		const openCount = (): number => a.log().match(/"op":"open","subject":"\/work\/\d"/g)?.length ?? 0;
		t.true(a.log().includes('"op":"open","subject":"/seen"') || a.log().includes('"op":"create","subject":"/seen"'));
		const before = openCount();
		t.true(before > 0, 'git has read them once');
		await forgetFiles();
		t.is(await a.shell('git -C work status --short | wc -l'), '5\n');
		t.is(openCount(), before);
	},
);
