import {constants} from 'node:fs';
import {FsError} from '../../src/model/fs-error.ts';
import {joinPath} from '../../src/model/object-key.ts';
import type {FileSystem} from '../../src/filesystem/filesystem.ts';
import {parseOpenFlags} from '../../src/fuse/open-flags.ts';
import type {ExtendedCalls, FsUnderTest, OpenFile} from './fs-under-test.ts';

const caller = {uid: 0, gid: 0};

/** A directory of a `FileSystem`, without a kernel. */
export const directFsUnderTest = (fileSystem: FileSystem, directory: string): FsUnderTest => {
	const at = (path: string): string => (path === '' ? directory : joinPath(directory, path));
	return {
		async open(path, flags, permissions = 0o666) {
			const {handle} = await fileSystem.open(at(path), parseOpenFlags(flags), {
				permissions: permissions & ~0o022,
				caller,
			});
			return toOpenFile(fileSystem, handle, (flags & constants.O_APPEND) !== 0);
		},
		stat: async path => fileSystem.getattr({path: at(path)}),
		async readdir(path) {
			const names: string[] = [];
			for await (const name of walk(fileSystem, at(path))) {
				names.push(name);
			}

			return names;
		},
		walk: path => walk(fileSystem, at(path)),
		mkdir: async (path, permissions = 0o777) => fileSystem.mkdir(at(path), permissions & ~0o022, caller),
		rmdir: async path => fileSystem.rmdir(at(path)),
		unlink: async path => fileSystem.unlink(at(path)),
		rename: async (from, to) => fileSystem.rename(at(from), at(to)),
		symlink: async (target, path) => fileSystem.symlink(target, at(path), caller),
		readlink: async path => fileSystem.readlink(at(path)),
		chmod: async (path, permissions) => fileSystem.chmod({path: at(path)}, permissions),
		chown: async (path, uid, gid) => fileSystem.chown({path: at(path)}, {uid, gid}),
		truncate: async (path, sizeBytes) => fileSystem.truncate({path: at(path)}, sizeBytes),
		statfs: async () => fileSystem.statfs(),
		extended: extendedCalls(fileSystem, at),
		host: undefined,
	};
};

async function* walk(fileSystem: FileSystem, path: string): AsyncIterable<string> {
	const handle = await fileSystem.opendir(path);
	try {
		for (let offset = 0; ; ) {
			const entries = await fileSystem.readdir(handle, offset);
			if (entries.length === 0) {
				return;
			}

			for (const {name} of entries) {
				if (name !== '.' && name !== '..') {
					yield name;
				}
			}

			offset = entries.at(-1)!.nextOffset; // Not empty: checked above.
		}
	} finally {
		await fileSystem.releasedir(handle);
	}
}

const toOpenFile = (fileSystem: FileSystem, handle: number, isAppending: boolean): OpenFile => {
	let offset = 0;
	return {
		async read(length, position) {
			const buffer = Buffer.alloc(length);
			return buffer.subarray(0, await fileSystem.read(handle, buffer, position));
		},
		async write(data, position) {
			const bytes = Buffer.from(data);
			await fileSystem.write(handle, bytes, isAppending ? 0 : (position ?? offset));
			offset += position === undefined ? bytes.length : 0;
		},
		stat: async () => fileSystem.getattr({handle}),
		truncate: async sizeBytes => fileSystem.truncate({handle}, sizeBytes),
		chmod: async permissions => fileSystem.chmod({handle}, permissions),
		sync: async () => fileSystem.fsync(handle),
		async close() {
			await fileSystem.flush(handle);
			await fileSystem.release(handle);
		},
	};
};

const extendedCalls = (fileSystem: FileSystem, at: (path: string) => string): ExtendedCalls => ({
	utimens: async (path, times) => fileSystem.utimens({path: at(path)}, times),
	listxattr: async path => fileSystem.listxattr(at(path)),
	async getxattr(path, name) {
		const value = await fileSystem.getxattr(at(path), name);
		if (value === undefined) {
			throw new FsError('ENODATA', name);
		}

		return Buffer.from(value);
	},
	setxattr: async (path, name, value, mode) => fileSystem.setxattr(at(path), name, Buffer.from(value), mode),
	removexattr: async (path, name) => fileSystem.removexattr(at(path), name),
	renameWith: async (from, to, flag) => fileSystem.rename(at(from), at(to), {[flag]: true}),
	async fallocate(path, range, mode) {
		const {handle} = await fileSystem.open(at(path), parseOpenFlags(constants.O_RDWR));
		try {
			await fileSystem.fallocate(handle, {
				...range,
				keepSize: mode === 'keepSize' || mode === 'punchHole',
				punchHole: mode === 'punchHole',
				zeroRange: mode === 'zeroRange',
				otherFlags: false,
			});
			await fileSystem.flush(handle);
		} finally {
			await fileSystem.release(handle);
		}
	},
	async copyRange(from, to, length) {
		const source = await fileSystem.open(at(from.path), parseOpenFlags(constants.O_RDONLY));
		const destination = await fileSystem.open(at(to.path), parseOpenFlags(constants.O_WRONLY));
		try {
			const count = await fileSystem.copyFileRange(
				{...source, offset: from.offset},
				{...destination, offset: to.offset},
				length,
			);
			await fileSystem.flush(destination.handle);
			return count;
		} finally {
			await fileSystem.release(source.handle);
			await fileSystem.release(destination.handle);
		}
	},
});
