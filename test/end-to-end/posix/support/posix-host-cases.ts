import {execFile} from 'node:child_process';
import * as nodeFs from 'node:fs/promises';
import {createServer, connect} from 'node:net';
import {promisify} from 'node:util';
import type {ExecutionContext} from 'ava';
import {errnoOf, type FsUnderTest, type Host, type PosixCase} from '../../../support/fs-under-test.ts';
import {readBytes, readText, writeText} from '../../../support/fs-text.ts';

const run = promisify(execFile);

/** What only programs on a real kernel can do: map files, lock them, connect through them. */
export const hostCases: readonly PosixCase[] = [
	{
		title: 'mmap() reads a file and writes to it',
		needs: 'agents',
		async run(t, fs) {
			const agent = hostOf(fs).startAgent();
			await writeText(fs, 'file', `${'a'.repeat(10_000)}end`);
			t.is(await agent.call('mmap_read', hostOf(fs).hostPath('file'), 9999, 4), 'aend');
			await agent.call('mmap_write', hostOf(fs).hostPath('file'), 5000, 'MAPPED');
			const text = await readText(fs, 'file');
			t.is(text.length, 10_003);
			t.is(text.slice(4999, 5007), 'aMAPPEDa');
		},
	},
	{
		title: 'flock() excludes another process until it lets go',
		needs: 'agents',
		run: async (t, fs) => assertExclusive(t, fs, 'flock'),
	},
	{
		title: 'fcntl() record locks exclude another process until it lets go',
		needs: 'agents',
		run: async (t, fs) => assertExclusive(t, fs, 'fcntl'),
	},
	{
		title: 'a fifo carries bytes between two processes',
		needs: 'host',
		async run(t, fs) {
			const path = hostOf(fs).hostPath('pipe');
			await run('mkfifo', ['-m', '0620', path]);
			t.like(await fs.stat('pipe'), {kind: 'fifo', permissions: 0o620});
			const [{stdout}] = await Promise.all([run('cat', [path]), run('sh', ['-c', 'echo through > "$1"', 'sh', path])]);
			t.is(stdout, 'through\n');
		},
	},
	{
		title: 'a Unix socket accepts connections',
		needs: 'host',
		async run(t, fs) {
			const server = createServer(socket => socket.end('hello'));
			t.teardown(() => server.close());
			// Relative, because the path of a socket may not be longer than 107 bytes.
			const path = hostOf(fs).hostPath('socket');
			await new Promise<void>((resolve, reject) => {
				server.once('error', reject).listen(path, resolve);
			});
			t.is((await fs.stat('socket')).kind, 'socket');
			t.is((await connect(path).toArray()).join(''), 'hello');
		},
	},
	{
		title: 'cp, mv, sed -i, tar and rm -r work as on a local disk',
		needs: 'host',
		async run(t, fs) {
			const directory = hostOf(fs).hostPath('');
			await writeText(fs, 'a', 'one two\n'.repeat(50_000));
			await run(
				'sh',
				[
					'-ec',
					`
				cp a b; cmp a b; mv b c; sed -i s/two/three/ c; mkdir -p d/e; cp -a c d/e/; ln -s e/c d/l
				tar cf t.tar d; rm -r d; tar xf t.tar; cmp c d/l; touch -d '2020-02-02 02:02:02 UTC' c; cp -p c f
				dd if=a of=g bs=4k seek=3 conv=notrunc status=none; rm -rf d t.tar`,
				],
				{cwd: directory},
			);
			t.is((await fs.stat('f')).mtimeNs, 1_580_608_922_000_000_000n);
			t.is(await readText(fs, 'c'), 'one three\n'.repeat(50_000));
			t.is((await readBytes(fs, 'g')).length, 400_000 + 12_288);
			t.deepEqual((await fs.readdir('')).sort(), ['a', 'c', 'f', 'g']);
		},
	},
	{
		title: 'symlinks lead through directories',
		needs: 'host',
		async run(t, fs) {
			await fs.mkdir('real');
			await writeText(fs, 'real/file', 'there');
			await fs.symlink('real', 'link');
			t.is(await readText(fs, 'link/file'), 'there');
			t.is(await errnoOf(fs.open('dangling/file', 0)), 'ENOENT');
		},
	},
	{
		title: 'st_ino stays the same when a file is written to and renamed',
		needs: 'host',
		async run(t, fs) {
			await writeText(fs, 'file', 'a');
			const {ino} = await fs.stat('file');
			await writeText(fs, 'file', 'ab');
			await fs.rename('file', 'other');
			t.is((await fs.stat('other')).ino, ino);
		},
	},
	{
		title: 'permissions of files hold for other users',
		needs: 'users',
		async run(t, fs) {
			await writeText(fs, 'secret', 'x');
			await fs.chmod('secret', 0o600);
			await writeText(fs, 'open', 'y');
			const asNobody = {uid: 65_534, gid: 65_534, cwd: hostOf(fs).hostPath('')};
			t.is((await run('cat', ['open'], asNobody)).stdout, 'y');
			await t.throwsAsync(run('cat', ['secret'], asNobody), {message: /Permission denied/});
			await t.throwsAsync(run('sh', ['-c', 'echo > new'], asNobody), {message: /Permission denied|cannot create/});
			await nodeFs.chmod(asNobody.cwd, 0o777);
			await run('sh', ['-c', 'echo > new'], asNobody);
			t.like(await fs.stat('new'), {uid: 65_534, gid: 65_534});
		},
	},
];

const hostOf = (fs: FsUnderTest): Host => fs.host!; // What these cases need.

const assertExclusive = async (t: ExecutionContext, fs: FsUnderTest, kind: 'flock' | 'fcntl'): Promise<void> => {
	const [one, other] = [hostOf(fs).startAgent(), hostOf(fs).startAgent()];
	await writeText(fs, 'file', 'x');
	const path = hostOf(fs).hostPath('file');
	await one.call('lock', path, kind);
	const errno = await errnoOf(other.call('lock', path, kind));
	t.true(errno === 'EAGAIN' || errno === 'EACCES', errno);
	await one.call('unlock', path);
	await other.call('lock', path, kind);
	await other.call('unlock', path);
};
