import type Fuse from 'fuse-native';
import {type FuseSession, toHandle} from '../fuse-session.ts';
import {parseFallocateMode} from '../operation-flags.ts';

/** Ranges of files that change without their bytes passing through. */
export const createRangeOperations = (session: FuseSession) => {
	const {fileSystem, shown} = session;
	return {
		fallocate(path, fd, mode, offset, length, callback) {
			const range = {offset: Number(offset), length: Number(length)};
			const request = {...range, ...parseFallocateMode(mode)};
			session.run({name: 'fallocate', fd, callback}, async () => fileSystem.fallocate(toHandle(fd), request), {
				succeed() {
					if (!request.keepSize) {
						shown.wrote(path ?? '', range.offset + range.length);
					}

					callback(0);
				},
			});
		},
		copyFileRange(_from, fromFd, fromOffset, to, toFd, toOffset, length, _flags, callback) {
			const [source, destination] = [toPlace(fromFd, fromOffset), toPlace(toFd, toOffset)];
			session.run(
				{name: 'copy_file_range', fd: fromFd, callback},
				async () => fileSystem.copyFileRange(source, destination, Number(length)),
				{
					succeed(count) {
						shown.wrote(to ?? '', destination.offset + count);
						callback(count);
					},
				},
			);
		},
	} satisfies Fuse.OPERATIONS;
};

const toPlace = (fd: bigint | number, offset: bigint | number) => ({
	handle: toHandle(fd),
	offset: Number(offset),
});
