import type Fuse from 'fuse-native';
import {toPath} from '../fuse-path.ts';
import {type FuseSession, toFd, toHandle} from '../fuse-session.ts';
import {toFuseEntryStat} from '../fuse-stat.ts';

/** The listing of directories. */
export const createDirectoryOperations = (session: FuseSession) => {
	const {fileSystem} = session;
	return {
		opendir(path, _flags, callback) {
			session.run({name: 'opendir', path, callback}, async () => fileSystem.opendir(toPath(path)), {
				succeed: handle => callback(0, toFd(handle)),
				abandon: handle => void fileSystem.releasedir(handle),
			});
		},
		readdirPaged(_path, fd, offset, callback) {
			session.ask(
				{name: 'readdir', fd, callback},
				async () => fileSystem.readdir(toHandle(fd), Number(offset)),
				entries =>
					callback(
						0,
						entries.map(({name}) => name),
						entries.map(({kind}) => toFuseEntryStat(kind)),
						entries.map(({nextOffset}) => nextOffset),
					),
			);
		},
		releasedir(_path, fd, callback) {
			session.run({name: 'releasedir', fd, callback}, async () => fileSystem.releasedir(toHandle(fd)));
		},
		fsyncdir(_path, _dataOnly, fd, callback) {
			session.run({name: 'fsyncdir', fd, callback}, async () => fileSystem.fsyncdir(toHandle(fd)));
		},
	} satisfies Fuse.OPERATIONS;
};
