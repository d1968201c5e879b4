import {execFile} from 'node:child_process';
import * as fs from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {promisify} from 'node:util';
import type {ExecutionContext} from 'ava';
import {errnoOf} from '../../support/fs-under-test.ts';
import {mountInChild, type ChildMount} from './mount.ts';
import {fuse, testThatNeeds} from '../../support/needs.ts';

const run = promisify(execFile);
const {serial: testOnMount} = testThatNeeds(fuse);

const mounted = async (t: ExecutionContext, options?: Parameters<typeof mountInChild>[0]): Promise<ChildMount> => {
	const mount = await mountInChild(options);
	t.teardown(async () => mount.close());
	return mount;
};

/**
What holds for a mount beyond the POSIX cases: its options, its end, and what a local directory would allow; over the
transport of `test-transport.ts`.
*/
export const runMountCases = (): void => {
	testOnMount('a mount is in the table with its options, and is gone after its process was told to end', async t => {
		const {mountPoint, close} = await mounted(t);
		const line = await mountLine(mountPoint);
		t.regex(line, / - fuse\.pnx pnx-volume:memory /);
		for (const option of [
			'rw',
			'nodev',
			'nosuid',
			'default_permissions',
			'max_read=1048576',
			...(process.getuid?.() === 0 ? ['allow_other'] : []),
		]) {
			t.regex(line, new RegExp(`[ ,]${option}(?:[ ,]|$)`));
		}

		t.is(await close(), 0);
		t.is(await mountLine(mountPoint), '');
	});

	testOnMount('a read-only mount refuses every change with EROFS', async t => {
		const {mountPoint} = await mounted(t, {readOnly: true});
		t.is(await errnoOf(fs.writeFile(join(mountPoint, 'file'), 'x')), 'EROFS');
		t.is(await errnoOf(fs.mkdir(join(mountPoint, 'directory'))), 'EROFS');
		t.deepEqual(await fs.readdir(mountPoint), []);
	});

	testOnMount('unlink() and rename() over an open file leave no .fuse_hidden file in the file system', async t => {
		const {mountPoint, log} = await mounted(t, {isEachLogged: true});
		const [path, other] = [join(mountPoint, 'file'), join(mountPoint, 'other')];
		await fs.writeFile(path, 'first');
		const first = await fs.open(path, 'r+');
		await fs.unlink(path);
		await fs.writeFile(path, 'second');
		const second = await fs.open(path, 'r+');
		await fs.writeFile(other, 'third');
		await fs.rename(other, path);
		t.deepEqual(await fs.readdir(mountPoint), ['file']);
		t.is((await first.readFile()).toString(), 'first');
		t.is((await second.readFile()).toString(), 'second');
		t.like(await first.stat(), {size: 5});
		t.like(await second.stat(), {size: 6});
		await first.utimes(1, 2);
		t.like(await first.stat(), {mtimeMs: 2000});
		await first.close();
		await second.close();
		t.is(await fs.readFile(path, 'utf8'), 'third');
		t.deepEqual(await fs.readdir(mountPoint), ['file']);
		t.notRegex(log(), /operation failed|met a bug|cannot remove/);
	});

	testOnMount('a file that was deleted while open works on after its directory was removed', async t => {
		const {mountPoint} = await mounted(t);
		await fs.mkdir(join(mountPoint, 'directory'));
		const file = await fs.open(join(mountPoint, 'directory/file'), 'w+');
		await fs.unlink(join(mountPoint, 'directory/file'));
		await fs.rename(join(mountPoint, 'directory'), join(mountPoint, 'moved'));
		t.like(await file.stat(), {size: 0});
		await fs.rmdir(join(mountPoint, 'moved'));
		await file.write('still here', 0);
		t.is((await file.read(Buffer.alloc(20), 0, 20, 0)).bytesRead, 10);
		await file.close();
	});

	testOnMount('names that are not UTF-8 cannot be made (EILSEQ) nor found (ENOENT)', async t => {
		const {mountPoint} = await mounted(t);
		const path = Buffer.concat([Buffer.from(`${mountPoint}/bad-`), Buffer.from([0xff, 0xfe])]);
		t.is(await errnoOf(fs.writeFile(path, 'x')), 'EILSEQ');
		t.is(await errnoOf(fs.mkdir(path)), 'EILSEQ');
		t.is(await errnoOf(fs.symlink('target', path)), 'EILSEQ');
		t.is(await errnoOf(fs.symlink(Buffer.from([0x80]), join(mountPoint, 'link'))), 'EILSEQ');
		t.is(await errnoOf(fs.stat(path)), 'ENOENT');
		t.deepEqual(await fs.readdir(mountPoint), []);
	});

	testOnMount('link() fails with EPERM', async t => {
		const {mountPoint} = await mounted(t);
		await fs.writeFile(join(mountPoint, 'file'), '');
		t.is(await errnoOf(fs.link(join(mountPoint, 'file'), join(mountPoint, 'link'))), 'EPERM');
	});

	testOnMount('many programs read and write at the same time', async t => {
		const {mountPoint} = await mounted(t);
		await Promise.all(
			Array.from({length: 12}, async (_, index) => {
				const path = join(mountPoint, `file-${index}`);
				await run('sh', [
					'-ec',
					'dd if=/dev/zero of="$1" bs=64k count=40 status=none; for i in 1 2 3; do cmp -n 2621440 "$1" /dev/zero; done',
					'sh',
					path,
				]);
				t.is((await fs.stat(path)).size, 40 * 65_536);
			}),
		);
	});

	testOnMount(
		'readers see the old or the new file, whole, and never nothing, while writers replace and delete open files',
		async t => {
			const {mountPoint, log} = await mounted(t);
			await fs.writeFile(join(mountPoint, 'target'), 'x'.repeat(10_000));
			const writer = `
			const fs = require('node:fs');
			for (let round = 0; round < 60; round++) {
				Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
				const name = 'new-' + process.pid;
				fs.writeFileSync(name, String.fromCharCode(97 + round % 26).repeat(10_000));
				fs.renameSync(name, 'target');
				const fd = fs.openSync('scratch-' + process.pid, 'w+');
				fs.unlinkSync('scratch-' + process.pid);
				fs.writeSync(fd, 'scratch');
				if (fs.fstatSync(fd).size !== 7) throw new Error('a deleted file lost its bytes');
				fs.closeSync(fd);
			}`;
			const reader = `
			const fs = require('node:fs');
			for (let round = 0; round < 400; round++) {
				let text;
				try {
					text = fs.readFileSync('target', 'utf8');
				} catch (error) {
					// As HiddenFiles says: replaced twice between the kernel's look-up of the name and its open.
					if (error.code === 'ESTALE') continue;
					throw error;
				}

				if (text.length !== 10_000 || text !== text[0].repeat(10_000)) throw new Error('torn: ' + text.length);
			}`;
			await Promise.all(
				[writer, reader, reader, reader].map(async script => run(process.execPath, ['-e', script], {cwd: mountPoint})),
			);
			t.deepEqual(await fs.readdir(mountPoint), ['target']);
			// The ESTALE of such an open is logged, and expected.
			const lines = log().split('\n');
			const unexpected = lines.filter(line => !/"op":"open".*"result":"ESTALE"/.test(line)).join('\n');
			t.notRegex(unexpected, /operation failed|met a bug|cannot remove/);
		},
	);

	testOnMount('the process ends with success when somebody else unmounts', async t => {
		const {mountPoint, exited, log} = await mounted(t);
		await run('umount', [mountPoint]);
		t.is(await exited, 0);
		t.notRegex(log(), /cannot unmount|met a bug/);
	});

	testOnMount('the process ends although a file on the mount is still open, and its user gets an error', async t => {
		const {mountPoint, close} = await mounted(t);
		const file = await fs.open(join(mountPoint, 'file'), 'w+');
		await file.write('x', 0);
		t.is(await close(), 0);
		t.is(await mountLine(mountPoint), '');
		t.is(await errnoOf(file.read(Buffer.alloc(1), 0, 1, 0)), 'ENOTCONN');
		t.is(await errnoOf(file.write('y', 0)), 'ENOTCONN');
		await errnoOf(file.close());
	});

	testOnMount('a mount whose process was killed answers ENOTCONN, and can be unmounted', async t => {
		const {mountPoint, pid, exited} = await mounted(t);
		t.teardown(async () => run('umount', ['-l', mountPoint]).catch(() => {}));
		process.kill(pid, 'SIGKILL');
		await exited;
		t.is(await errnoOf(fs.readdir(mountPoint)), 'ENOTCONN');
		await run('umount', ['-l', mountPoint]);
		t.is((await fs.stat(mountPoint)).isDirectory(), true);
	});

	testOnMount('a process that mounts asks nothing of its own mount, so a kill at any moment ends it', async t => {
		const {mountPoint, pid, exited, firstLine} = await mounted(t, {isMute: true});
		t.teardown(async () => run('umount', ['-l', mountPoint]).catch(() => {}));
		process.kill(pid, 'SIGKILL');
		const isDead = await Promise.race([exited.then(() => true), delay(20_000, false, {ref: false})]);
		await (isDead ? undefined : run('umount', ['-f', '-l', mountPoint])); // Which aborts its connection.
		t.deepEqual({firstLine, isDead}, {firstLine: 'ready', isDead: true});
	});
};

const mountLine = async (mountPoint: string): Promise<string> =>
	(await fs.readFile('/proc/self/mountinfo', 'utf8')).split('\n').find(line => line.includes(` ${mountPoint} `)) ?? '';
