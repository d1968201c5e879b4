import {errnoOf, type PosixCase} from '../../../support/fs-under-test.ts';
import {writeText} from '../../../support/fs-text.ts';

/** Modes, owners, times, extended attributes, statfs(2). */
export const attributeCases: readonly PosixCase[] = [
	{
		title: 'chmod() sets all twelve bits, on files and directories',
		async run(t, fs) {
			await writeText(fs, 'file', 'content');
			await fs.mkdir('directory');
			for (const permissions of [0o400, 0o4755, 0o000, 0o1644]) {
				await fs.chmod('file', permissions);
				t.is((await fs.stat('file')).permissions, permissions);
			}

			await fs.chmod('directory', 0o1777);
			t.is((await fs.stat('directory')).permissions, 0o1777);
			t.is(await errnoOf(fs.chmod('missing', 0o644)), 'ENOENT');
		},
	},
	{
		title: 'chown() sets owner and group',
		async run(t, fs) {
			await writeText(fs, 'file', '');
			await fs.chown('file', 1234, 5678);
			t.like(await fs.stat('file'), {uid: 1234, gid: 5678});
			await fs.mkdir('directory');
			await fs.chown('directory', 99, 100);
			t.like(await fs.stat('directory'), {uid: 99, gid: 100});
		},
	},
	{
		title: 'write() moves the modification time forward, read and chmod do not',
		async run(t, fs) {
			const beforeNs = BigInt(Date.now() - 2000) * 1_000_000n;
			await writeText(fs, 'file', 'x');
			const written = await fs.stat('file');
			t.true(written.mtimeNs > beforeNs);
			await fs.chmod('file', 0o600);
			t.is((await fs.stat('file')).mtimeNs, written.mtimeNs);
		},
	},
	{
		title: 'utimensat() sets times to the nanosecond, also before 1970',
		needs: 'extended',
		async run(t, fs) {
			await writeText(fs, 'file', 'x');
			await fs.mkdir('directory');
			for (const path of ['file', 'directory']) {
				for (const [atime, mtime] of [
					[1_500_000_000_123_456_789n, 1_600_000_000_987_654_321n],
					[-1_500_000_001n, -1n],
				] as const) {
					await fs.extended!.utimens(path, {atime, mtime}); // What the case needs.
					t.like(await fs.stat(path), {atimeNs: atime, mtimeNs: mtime}, path);
				}
			}
		},
	},
	{
		title: "utimensat() with UTIME_OMIT leaves a time, with UTIME_NOW takes the clock's",
		needs: 'extended',
		async run(t, fs) {
			await writeText(fs, 'file', 'x');
			const {utimens} = fs.extended!; // What the case needs.
			await utimens('file', {atime: 1_000_000_000n, mtime: 2_000_000_000n});
			await utimens('file', {atime: 'omit', mtime: 3_000_000_000n});
			t.like(await fs.stat('file'), {atimeNs: 1_000_000_000n, mtimeNs: 3_000_000_000n});
			await utimens('file', {atime: 4_000_000_000n, mtime: 'omit'});
			t.like(await fs.stat('file'), {atimeNs: 4_000_000_000n, mtimeNs: 3_000_000_000n});
			const beforeNs = BigInt(Date.now() - 2000) * 1_000_000n;
			await utimens('file', {atime: 'omit', mtime: 'now'});
			const stat = await fs.stat('file');
			t.is(stat.atimeNs, 4_000_000_000n);
			t.true(stat.mtimeNs > beforeNs);
		},
	},
	{
		title: 'extended attributes can be set, listed, replaced and removed',
		needs: 'extended',
		async run(t, fs) {
			const {setxattr, getxattr, listxattr, removexattr} = fs.extended!; // What the case needs.
			await writeText(fs, 'file', 'content');
			await setxattr('file', 'user.one', 'first', 'either');
			await setxattr('file', 'user.zwei-ü', '', 'either');
			t.deepEqual((await listxattr('file')).sort(), ['user.one', 'user.zwei-ü']);
			t.is((await getxattr('file', 'user.one')).toString(), 'first');
			t.is((await getxattr('file', 'user.zwei-ü')).length, 0);
			await setxattr('file', 'user.one', 'second, longer', 'either');
			t.is((await getxattr('file', 'user.one')).toString(), 'second, longer');
			await removexattr('file', 'user.one');
			t.deepEqual(await listxattr('file'), ['user.zwei-ü']);
		},
	},
	{
		title: 'extended attributes follow XATTR_CREATE and XATTR_REPLACE, and fail with ENODATA where there are none',
		needs: 'extended',
		async run(t, fs) {
			const {setxattr, getxattr, removexattr} = fs.extended!; // What the case needs.
			await writeText(fs, 'file', '');
			t.is(await errnoOf(getxattr('file', 'user.none')), 'ENODATA');
			t.is(await errnoOf(removexattr('file', 'user.none')), 'ENODATA');
			t.is(await errnoOf(setxattr('file', 'user.a', 'x', 'replace')), 'ENODATA');
			await setxattr('file', 'user.a', 'x', 'create');
			t.is(await errnoOf(setxattr('file', 'user.a', 'y', 'create')), 'EEXIST');
			await setxattr('file', 'user.a', 'z', 'replace');
			t.is((await getxattr('file', 'user.a')).toString(), 'z');
			t.is(await errnoOf(getxattr('missing', 'user.a')), 'ENOENT');
		},
	},
	{
		title: 'statfs() has room',
		async run(t, fs) {
			const stat = await fs.statfs();
			t.true(stat.blockBytes > 0);
			t.true(stat.blocksFree > 0);
		},
	},
];
