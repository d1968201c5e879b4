import type Fuse from 'fuse-native';
import type {EntryStat} from '../../filesystem/filesystem.ts';
import type {FuseSession} from '../fuse-session.ts';
import {lookupPurposeOf} from '../lookup-purpose.ts';
import {permissionsOfMode, toFuseStat, toFuseStatfs, toTimeChange} from '../fuse-stat.ts';

/** chown(2): this id stays as it is. */
const idUnchanged = 0xff_ff_ff_ff;

/**
Answers with attributes, and notes the size. Of an open file too: the kernel takes its size for that of the path, also
where the path has a newer version.
*/
const createTeller =
	({shown}: FuseSession) =>
	(
		path: Fuse.HandlePath,
		stat: EntryStat,
		{threadId, callback}: {threadId: number; callback: (result: number, stats?: Fuse.Stats) => void},
	): void => {
		shown.told(path ?? '', {sizeBytes: stat.sizeBytes, isDirectory: stat.kind === 'directory'}, threadId);
		callback(0, toFuseStat(stat));
	};

export const createAttributeOperations = (session: FuseSession) => {
	const {fileSystem, shown} = session;
	const tell = createTeller(session);
	return {
		getattr(path, callback) {
			const threadId = session.callingThreadId();
			session.ask(
				{name: 'getattr', path, callback},
				async () =>
					fileSystem
						.getattr(session.targetOf(path), {purpose: async () => lookupPurposeOf(threadId, path ?? '')})
						.catch((error: unknown) => {
							shown.answered(path ?? '', threadId); // An open that was refused is not tried again.
							throw error;
						}),
				stat => tell(path, stat, {threadId, callback}),
			);
		},
		fgetattr(path, fd, callback) {
			const threadId = session.callingThreadId();
			session.ask(
				{name: 'fgetattr', fd, callback},
				async () => fileSystem.getattr(session.targetOf(path, fd)),
				stat => tell(path, stat, {threadId, callback}),
			);
		},
		statfs(path, callback) {
			session.ask(
				{name: 'statfs', path, callback},
				async () => fileSystem.statfs(),
				stat => callback(0, toFuseStatfs(stat)),
			);
		},
		chmodWithHandle(path, fd, mode, callback) {
			session.run({name: 'chmod', path, fd, callback}, async () =>
				fileSystem.chmod(session.targetOf(path, fd), permissionsOfMode(mode)),
			);
		},
		chownWithHandle(path, fd, uid, gid, callback) {
			session.run({name: 'chown', path, fd, callback}, async () =>
				fileSystem.chown(session.targetOf(path, fd), {
					uid: uid === idUnchanged ? undefined : uid,
					gid: gid === idUnchanged ? undefined : gid,
				}),
			);
		},
		utimensWithHandle(path, fd, atime, mtime, callback) {
			session.run({name: 'utimens', path, fd, callback}, async () =>
				fileSystem.utimens(session.targetOf(path, fd), {atime: toTimeChange(atime), mtime: toTimeChange(mtime)}),
			);
		},
	} satisfies Fuse.OPERATIONS;
};
