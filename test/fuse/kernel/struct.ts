import test from 'ava';
import {defineStruct} from '../../../src/fuse/kernel/struct.ts';
import {
	attrOut,
	dirent,
	entryOut,
	inHeader,
	initOut,
	notifyInvalEntryOut,
	notifyInvalInodeOut,
	openOut,
	outHeader,
	requestForms,
	statfsOut,
} from '../../../src/fuse/kernel/protocol.ts';

const all = defineStruct({
	small: 'u16',
	other: 'u16',
	plain: 'u32',
	error: 'i32',
	pad: 'u32',
	large: 'u64',
	time: 'i64',
});
const viewOf = (length: number): DataView => new DataView(new ArrayBuffer(length));

test('what is written is read, at the edges of each type', t => {
	for (const values of [
		{small: 0, other: 65_535, plain: 0, error: 0, pad: 0, large: 0, time: 0},
		{small: 1, other: 2, plain: 0xff_ff_ff_ff, error: -1, pad: 3, large: 2 ** 53 - 1, time: -1},
		{small: 1, other: 2, plain: 3, error: -(2 ** 31), pad: 3, large: 2 ** 32, time: -(2 ** 53)},
		{small: 1, other: 2, plain: 3, error: 2 ** 31 - 1, pad: 3, large: 2 ** 32 - 1, time: -(2 ** 32) - 1},
	]) {
		const view = viewOf(all.bytes + 3);
		all.write(view, 3, values);
		t.deepEqual(all.read(view, 3), values);
	}
});

test('fields lie where the structure of the kernel has them', t => {
	const view = viewOf(inHeader.bytes);
	const words = new Uint32Array(view.buffer);
	words.set([40, 14, 7, 0, 9, 0, 1000, 100, 4242, 0]);
	t.like(inHeader.read(view, 0), {len: 40, opcode: 14, unique: 7, nodeid: 9, uid: 1000, gid: 100, pid: 4242});
});

test('fields that are left out are zeros, also over old bytes', t => {
	const view = viewOf(all.bytes);
	new Uint8Array(view.buffer).fill(255);
	all.write(view, 0, {plain: 7});
	t.deepEqual(all.read(view, 0), {small: 0, other: 0, plain: 7, error: 0, pad: 0, large: 0, time: 0});
});

test('nothing is read or written outside of the view', t => {
	const inside = new DataView(new ArrayBuffer(100), 20, all.bytes - 1);
	t.throws(() => all.read(inside, 0), {instanceOf: RangeError});
	t.throws(() => all.write(inside, 0, {}), {instanceOf: RangeError});
	t.throws(() => all.read(viewOf(all.bytes), 1), {instanceOf: RangeError});
	t.throws(() => all.read(viewOf(all.bytes), -1), {instanceOf: RangeError});
});

test('structures have the sizes of linux/fuse.h', t => {
	t.deepEqual(
		{
			inHeader: inHeader.bytes,
			outHeader: outHeader.bytes,
			attrOut: attrOut.bytes,
			entryOut: entryOut.bytes,
			openOut: openOut.bytes,
			statfsOut: statfsOut.bytes,
			initOut: initOut.bytes,
			dirent: dirent.bytes,
			invalInode: notifyInvalInodeOut.bytes,
			invalEntry: notifyInvalEntryOut.bytes,
		},
		{
			inHeader: 40,
			outHeader: 16,
			attrOut: 104,
			entryOut: 128,
			openOut: 16,
			statfsOut: 80,
			initOut: 64,
			dirent: 24,
			invalInode: 24,
			invalEntry: 16,
		},
	);
	const bodies = Object.entries(requestForms).map(([name, form]) => [name, 'body' in form ? form.body.bytes : 0]);
	t.deepEqual(Object.fromEntries(bodies), {
		lookup: 0,
		forget: 8,
		getattr: 16,
		setattr: 88,
		readlink: 0,
		symlink: 0,
		mknod: 16,
		mkdir: 8,
		unlink: 0,
		rmdir: 0,
		rename: 8,
		link: 8,
		open: 8,
		read: 40,
		write: 40,
		statfs: 0,
		release: 24,
		fsync: 16,
		setxattr: 8,
		getxattr: 8,
		listxattr: 8,
		removexattr: 0,
		flush: 24,
		init: 16,
		opendir: 8,
		readdir: 40,
		releasedir: 24,
		fsyncdir: 16,
		create: 16,
		interrupt: 8,
		destroy: 0,
		batchForget: 8,
		fallocate: 32,
		readdirplus: 40,
		rename2: 16,
		copyFileRange: 56,
	});
});
