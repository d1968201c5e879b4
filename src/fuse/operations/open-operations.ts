import {constants} from 'node:fs';
import type Fuse from 'fuse-native';
import type {OpenFlags, OpenResult} from '../../filesystem/filesystem.ts';
import {errnoNameOf, toFuseResult} from '../errno.ts';
import {toNewPath, toPath} from '../fuse-path.ts';
import {type FuseSession, toFd, toHandle} from '../fuse-session.ts';
import {permissionsOfMode} from '../fuse-stat.ts';
import {parseOpenFlags} from '../open-flags.ts';
import {hasOtherDescriptor} from '../other-descriptors.ts';

/** From the opening of a file to its last close. */
export const createOpenOperations = (session: FuseSession) => {
	const {fileSystem, hidden, shown} = session;
	return {
		open(path, flags, callback) {
			const threadId = session.callingThreadId();
			session.run(
				{name: 'open', path, callback},
				async () =>
					openAsShown(session, path, parseOpenFlags(flags & ~(constants.O_CREAT | constants.O_EXCL)), threadId),
				{
					succeed(result) {
						if (result === undefined) {
							callback(toFuseResult('ESTALE'));
						} else {
							callback(0, toFileInfo(result, flags));
						}
					},
					abandon(result) {
						if (result !== undefined) {
							void hidden.release(result.handle);
						}
					},
				},
			);
		},
		createWithFlags(path, mode, flags, callback) {
			const creation = {permissions: permissionsOfMode(mode), caller: session.caller()};
			session.run(
				{name: 'create', path, callback},
				async () => fileSystem.open(toNewPath(path), {...parseOpenFlags(flags), create: true}, creation),
				{
					succeed(result) {
						shown.forget(path); // What had the name before is not what the kernel made now.
						callback(0, toFileInfo(result, flags));
					},
				},
			);
		},
		flush(_path, fd, callback) {
			const threadId = session.callingThreadId();
			session.run({name: 'flush', fd, callback}, async () =>
				fileSystem.flush(toHandle(fd), {
					hasOtherDescriptor: async path => hasOtherDescriptor(threadId, {device: await session.device(), path}),
				}),
			);
		},
		fsync(_path, _dataOnly, fd, callback) {
			session.run({name: 'fsync', fd, callback}, async () => fileSystem.fsync(toHandle(fd)));
		},
		release(_path, fd, callback) {
			session.run({name: 'release', fd, callback}, async () => hidden.release(toHandle(fd)));
		},
	} satisfies Fuse.OPERATIONS;
};

const toFileInfo = ({handle, keepsPages, isDirect = false}: OpenResult, flags: number): Fuse.FileInfoResult => ({
	fd: toFd(handle),
	keepCache: keepsPages(),
	// What is longer than a request of the kernel comes in several. With O_DIRECT alone the kernel sends them at the same
	// time, and those of an append, which go to the end whatever their offset, would change places.
	directIO: isDirect || (flags & orderedFlags) === orderedFlags,
});

const orderedFlags = constants.O_DIRECT | constants.O_APPEND;

/**
Opens a file; `undefined` when the kernel has to look it up again first: it knows another size, or the name is gone and
the kernel still believes in it. Then a program that creates what is not there gets a new file, and others ENOENT.
*/
const openAsShown = async (
	{hidden, shown}: FuseSession,
	fusePath: string,
	flags: OpenFlags,
	threadId: number,
): Promise<OpenResult | undefined> => {
	const mayRefuse = shown.mayRefuse(fusePath, threadId);
	shown.answered(fusePath, threadId);
	const refuse = (): void => {
		shown.refused(fusePath, threadId);
	};

	// A program that does not read misses nothing; appends go to the end, wherever the kernel believes it to be.
	const isSizeUsed = flags.read && !flags.truncate;
	if (isSizeUsed && mayRefuse && shown.isUnsure(fusePath, threadId)) {
		refuse();
		return undefined;
	}

	let result: OpenResult;
	try {
		result = await hidden.open(toPath(fusePath), {...flags, threadId});
	} catch (error) {
		if (mayRefuse && errnoNameOf(error) === 'ENOENT') {
			refuse();
			return undefined;
		}

		throw error;
	}

	if (isSizeUsed && shown.isWrong(fusePath, result.sizeBytes, threadId) && mayRefuse) {
		await hidden.release(result.handle);
		refuse();
		return undefined;
	}

	return result;
};
