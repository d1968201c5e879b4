import type Fuse from 'fuse-native';
import {FsError} from '../../model/fs-error.ts';
import {toNewPath, toPath, toUtf8} from '../fuse-path.ts';
import type {FuseSession} from '../fuse-session.ts';
import {kindOfMknod, permissionsOfMode} from '../fuse-stat.ts';
import {parseRenameFlags} from '../operation-flags.ts';

/** Names that come, go and move. */
export const createNameOperations = (session: FuseSession) => ({
	...createNewNameOperations(session),
	...createOldNameOperations(session),
});

const createNewNameOperations = (session: FuseSession) => {
	const {fileSystem} = session;
	return {
		mkdir(path, mode, callback) {
			const owner = session.caller();
			session.run({name: 'mkdir', path, callback}, async () =>
				fileSystem.mkdir(toNewPath(path), permissionsOfMode(mode), owner),
			);
		},
		symlink(target, path, callback) {
			const owner = session.caller();
			session.run({name: 'symlink', path, callback}, async () =>
				fileSystem.symlink(toUtf8(target, 'link target'), toNewPath(path), owner),
			);
		},
		mknod(path, mode, device, callback) {
			const owner = session.caller();
			session.run({name: 'mknod', path, callback}, async () =>
				fileSystem.mknod(
					toNewPath(path),
					{kind: kindOfMknod(mode), permissions: permissionsOfMode(mode), rdev: Number(device)},
					owner,
				),
			);
		},
		link(_from, path, callback) {
			session.run({name: 'link', path, callback}, async () => {
				throw new FsError('EPERM', 'Cannot make a hard link: an object of S3 has one key');
			});
		},
	} satisfies Fuse.OPERATIONS;
};

const createOldNameOperations = (session: FuseSession) => {
	const {fileSystem, hidden, shown} = session;
	return {
		readlink(path, callback) {
			session.ask(
				{name: 'readlink', path, callback},
				async () => fileSystem.readlink(toPath(path)),
				target => callback(0, target),
			);
		},
		rmdir(path, callback) {
			session.run({name: 'rmdir', path, callback}, async () => {
				await fileSystem.rmdir(toPath(path));
				await hidden.forgetBelow(path.slice(1));
			});
		},
		unlink(path, callback) {
			session.run({name: 'unlink', path, callback}, async () => {
				if (!(await hidden.forget(path))) {
					await fileSystem.unlink(toPath(path));
				}

				shown.forget(path);
			});
		},
		renameWithFlags(from, to, flags, callback) {
			const threadId = session.callingThreadId();
			hidden.expectReplacement(to.slice(1));
			session.run({name: 'rename', path: from, callback}, async () => {
				if (flags === 0 && hidden.isHiding(from, to)) {
					await hidden.hide(toPath(from), to, threadId);
					shown.forget(from);
					return;
				}

				await fileSystem.rename(toPath(from), toNewPath(to), parseRenameFlags(flags));
				hidden.follow(from.slice(1), to.slice(1));
				shown.forget(to);
				shown.renamed(from, to);
			});
		},
	} satisfies Fuse.OPERATIONS;
};
