import test from 'ava';
import {FileTable} from '../../src/filesystem/file-table.ts';
import {type FileHandle, OpenFile} from '../../src/filesystem/open-file.ts';
import type {ObjectHead} from '../../src/store/object-store.ts';
import {ReadSequence} from '../../src/cache/read-sequence.ts';

const toHead = (etag: string): ObjectHead => ({
	key: 'file',
	etag,
	sizeBytes: 1,
	lastModifiedMs: 0,
	metadata: {},
	contentType: undefined,
});

const attributes = {
	kind: 'file',
	permissions: 0o644,
	uid: 0,
	gid: 0,
	atimeNs: 0n,
	mtimeNs: 0n,
	rdev: 0,
	xattrs: new Map(),
} as never;

/** Nothing is read or written. */
const unused = undefined as never;

const createFile = (etag: string): OpenFile =>
	new OpenFile({
		path: 'file',
		base: toHead(etag),
		attributes,
		staging: {isDurable: false} as never,
		reader: unused,
		defaults: unused,
		now: 0,
	});

const toHandle = (file: OpenFile, flags: {read: boolean}): FileHandle => ({
	file,
	flags: {write: !flags.read, append: false, truncate: false, create: false, exclusive: false, ...flags},
	sequence: new ReadSequence({windowBytesMax: 1}),
	hasReachedEnd: false,
	endBytes: 0,
	hasWritten: false,
	isDirect: false,
	pagesToCome: undefined,
});

test('hasOtherVersionOpen() is true while handles of before a replacement are open', t => {
	const files = new FileTable();
	const file = createFile('1');
	files.add(file);
	const old = files.addHandle(toHandle(file, {read: false}));
	t.false(files.hasOtherVersionOpen(file));
	file.replaceVersion(toHead('2'), attributes);
	files.addHandle(toHandle(file, {read: true}));
	t.true(files.hasOtherVersionOpen(file));
	t.false(files.hasOtherVersionRead(file), 'It only writes');
	t.is(file.versionOf(files.handle(old))?.etag, '1');
	files.removeHandle(old);
	t.false(files.hasOtherVersionOpen(file));
	file.replaceVersion(toHead('3'), attributes);
	t.true(files.hasOtherVersionRead(file));
});

test('hasOtherVersionOpen() is true while handles of a file are open that was deleted elsewhere and made anew here', t => {
	const files = new FileTable();
	const [before, file] = [createFile('1'), createFile('2')];
	files.add(before);
	const handles = [files.addHandle(toHandle(before, {read: true})), files.addHandle(toHandle(before, {read: false}))];
	files.add(file);
	for (const handle of handles) {
		t.true(files.hasOtherVersionOpen(file));
		t.is(files.hasOtherVersionRead(file), handle === handles[0]);
		files.removeHandle(handle);
	}

	t.false(files.hasOtherVersionOpen(file));
});

test('hasOtherVersionOpen() looks at no handle, however many are open', t => {
	const files = new FileTable();
	let lookCount = 0;
	for (let count = 0; count < 1000; count++) {
		const file = createFile('1');
		file.path = `file-${count}`;
		files.add(file);
		const handle = toHandle(file, {read: true});
		files.addHandle({
			...handle,
			get file() {
				lookCount++;
				return file;
			},
		});
		const before = lookCount;
		t.false(files.hasOtherVersionOpen(file));
		t.is(lookCount, before);
	}
});
