import type Fuse from 'fuse-native';
import {FsError} from '../../model/fs-error.ts';
import {toPath, toUtf8} from '../fuse-path.ts';
import type {FuseSession} from '../fuse-session.ts';
import {parseXattrFlags} from '../operation-flags.ts';

/** Extended attributes. A file that was deleted while it is open shows none, and takes none. */
export const createXattrOperations = (session: FuseSession) => {
	const {fileSystem, hidden} = session;
	const isDeleted = (path: string): boolean => hidden.handleOf(path) !== undefined;
	const assertExists = (path: string): void => {
		if (isDeleted(path)) {
			throw new FsError('EOPNOTSUPP', 'Cannot change extended attributes of a file that was deleted');
		}
	};

	return {
		listxattr(path, callback) {
			session.ask(
				{name: 'listxattr', path, callback},
				async () => (isDeleted(path) ? [] : fileSystem.listxattr(toPath(path))),
				names => callback(0, names),
			);
		},
		getxattr(path, name, _position, callback) {
			session.ask(
				{name: 'getxattr', path, callback},
				// The kernel asks for `security.capability` before every write; no file of ours has other than `user.` names.
				async () =>
					name.startsWith('user.') && !isDeleted(path) ? fileSystem.getxattr(toPath(path), name) : undefined,
				value => callback(0, value === undefined ? null : toBuffer(value)),
			);
		},
		setxattr(path, name, value, _position, flags, callback) {
			session.run({name: 'setxattr', path, callback}, async () => {
				assertExists(path);
				await fileSystem.setxattr(
					toPath(path),
					toUtf8(name, 'name of an extended attribute'),
					value,
					parseXattrFlags(flags),
				);
			});
		},
		removexattr(path, name, callback) {
			session.run({name: 'removexattr', path, callback}, async () => {
				assertExists(path);
				await fileSystem.removexattr(toPath(path), name);
			});
		},
	} satisfies Fuse.OPERATIONS;
};

const toBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
