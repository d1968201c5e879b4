import type Fuse from 'fuse-native';
import {type FuseSession, toHandle} from '../fuse-session.ts';

/** The bytes of files. */
export const createContentOperations = (session: FuseSession) => {
	const {fileSystem, metrics, readBuffers, shown} = session;
	return {
		readBuffer(_path, fd, length, position, callback) {
			const buffer = readBuffers.take(length);
			const giveBack = (): void => readBuffers.giveBackAfterAnswer(buffer);
			const options = {isForPages: session.isPageRead()};
			const read = async (): Promise<number> => fileSystem.read(toHandle(fd), buffer, Number(position), options);
			session.run({name: 'read', fd, callback}, read, {
				succeed(count) {
					metrics.readBytes.value += count;
					callback(0, buffer.subarray(0, count));
					giveBack();
				},
				abandon: giveBack,
			});
		},
		write(path, fd, buffer, _length, position, callback) {
			const writepage = session.isWritepage();
			session.run(
				{name: 'write', fd, callback},
				async () =>
					fileSystem.write(toHandle(fd), buffer, Number(position), {writepage}).finally(() => freeBytes(buffer)),
				{
					succeed(count) {
						metrics.writtenBytes.value += count;
						shown.wrote(path ?? '', Number(position) + count);
						callback(count);
					},
				},
			);
		},
		truncate(path, size, callback) {
			session.run({name: 'truncate', path, callback}, async () =>
				fileSystem.truncate(session.targetOf(path), Number(size)),
			);
		},
		ftruncate(path, fd, size, callback) {
			session.run({name: 'ftruncate', fd, callback}, async () =>
				fileSystem.truncate(session.targetOf(path, fd), Number(size)),
			);
		},
	} satisfies Fuse.OPERATIONS;
};

/**
The bytes of a write are not looked at again: free them now. Left to the garbage collector they cost a full
collection for every ten large writes, a third of the CPU time of a long write.
*/
const freeBytes = (buffer: Buffer): void => {
	if (buffer.buffer.byteLength === buffer.byteLength && buffer.byteLength >= 2 ** 16) {
		(buffer.buffer as ArrayBuffer).transfer(0);
	}
};
