import * as fs from 'node:fs/promises';
import type {BigIntStats} from 'node:fs';
import {join} from 'node:path';
import type {EntryKind, TimeChange} from '../../../../src/filesystem/filesystem.ts';
import type {ExtendedCalls, FsUnderTest, OpenFile, Stat} from '../../../support/fs-under-test.ts';
import {isMet, python} from '../../../support/needs.ts';
import {startPosixAgent, type PosixAgent} from './posix-agent.ts';

/** A directory of the host, through its kernel. `teardown` takes what has to end with the test. */
export const hostFsUnderTest = (directory: string, teardown: (end: () => void) => void): FsUnderTest => {
	const at = (path: string): string => join(directory, path);
	const startAgent = (): PosixAgent => {
		const agent = startPosixAgent();
		teardown(() => agent.close());
		return agent;
	};

	let agent: PosixAgent | undefined;
	return {
		open: async (path, flags, permissions) => toOpenFile(await fs.open(at(path), flags, permissions)),
		stat: async path => toStat(await fs.lstat(at(path), {bigint: true})),
		readdir: async path => fs.readdir(at(path)),
		async *walk(path) {
			for await (const entry of await fs.opendir(at(path), {bufferSize: 1})) {
				yield entry.name;
			}
		},
		mkdir: async (path, permissions) => void (await fs.mkdir(at(path), permissions)),
		rmdir: async path => fs.rmdir(at(path)),
		unlink: async path => fs.unlink(at(path)),
		rename: async (from, to) => fs.rename(at(from), at(to)),
		symlink: async (target, path) => fs.symlink(target, at(path)),
		readlink: async path => fs.readlink(at(path)),
		chmod: async (path, permissions) => fs.chmod(at(path), permissions),
		chown: async (path, uid, gid) => fs.lchown(at(path), uid, gid),
		truncate: async (path, sizeBytes) => fs.truncate(at(path), sizeBytes),
		async statfs() {
			const stat = await fs.statfs(directory);
			return {blockBytes: stat.bsize, blocksFree: stat.bavail};
		},
		extended: isMet(python)
			? extendedCalls(at, async (...request) => (agent ??= startAgent()).call(...request))
			: undefined, // Python is there.
		host: {hostPath: at, startAgent},
	};
};

const toOpenFile = (file: fs.FileHandle): OpenFile => ({
	async read(length, position) {
		const {buffer, bytesRead} = await file.read(Buffer.alloc(length), 0, length, position);
		return buffer.subarray(0, bytesRead);
	},
	async write(data, position) {
		await file.write(Buffer.from(data), 0, undefined, position ?? null);
	},
	stat: async () => toStat(await file.stat({bigint: true})),
	truncate: async sizeBytes => file.truncate(sizeBytes),
	chmod: async permissions => file.chmod(permissions),
	sync: async () => file.sync(),
	close: async () => file.close(),
});

const xattrFlags = {either: 0, create: 1, replace: 2};
const fallocateModes = {extend: 0, keepSize: 1, punchHole: 3, zeroRange: 0x10};

const extendedCalls = (at: (path: string) => string, call: PosixAgent['call']): ExtendedCalls => ({
	utimens: async (path, times) => void (await call('utimens', at(path), toText(times.atime), toText(times.mtime))),
	listxattr: async path => (await call('listxattr', at(path))) as string[],
	getxattr: async (path, name) => Buffer.from((await call('getxattr', at(path), name)) as string, 'base64'),
	setxattr: async (path, name, value, mode) =>
		void (await call('setxattr', at(path), name, Buffer.from(value).toString('base64'), xattrFlags[mode])),
	removexattr: async (path, name) => void (await call('removexattr', at(path), name)),
	renameWith: async (from, to, flag) => void (await call('renameat2', at(from), at(to), flag === 'noReplace' ? 1 : 2)),
	fallocate: async (path, {offset, length}, mode) =>
		void (await call('fallocate', at(path), fallocateModes[mode], offset, length)),
	copyRange: async (from, to, length) =>
		(await call('copy_file_range', at(from.path), from.offset, at(to.path), to.offset, length)) as number,
});

const toText = (change: TimeChange): string => String(change);

const toStat = (stat: BigIntStats): Stat => ({
	ino: Number(stat.ino),
	kind: kindOf(stat),
	permissions: Number(stat.mode) & 0o7777,
	uid: Number(stat.uid),
	gid: Number(stat.gid),
	sizeBytes: Number(stat.size),
	mtimeNs: stat.mtimeNs,
	atimeNs: stat.atimeNs,
	nlink: Number(stat.nlink),
});

const kindOf = (stat: BigIntStats): EntryKind => {
	if (stat.isFile()) {
		return 'file';
	}

	if (stat.isDirectory()) {
		return 'directory';
	}

	if (stat.isSymbolicLink()) {
		return 'symlink';
	}

	if (stat.isFIFO()) {
		return 'fifo';
	}

	if (stat.isSocket()) {
		return 'socket';
	}

	return stat.isBlockDevice() ? 'block-device' : 'character-device';
};
