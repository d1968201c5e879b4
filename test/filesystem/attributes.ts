import test from 'ava';
import {
	newAttributes,
	presentAttributes,
	readAttributes,
	writeAttributes,
	type AttributeDefaults,
	type FileAttributes,
} from '../../src/filesystem/attributes.ts';

const defaults: AttributeDefaults = {uid: 1, gid: 2, fileMode: 0o644, dirMode: 0o755, attributes: 'posix'};
const object = (key: string) => ({key, lastModifiedMs: 1500});
const file: FileAttributes = {
	kind: 'file',
	permissions: 0o644,
	uid: 1,
	gid: 2,
	mtimeNs: 5n,
	atimeNs: 5n,
	rdev: 0,
	xattrs: {},
};

test('an object without attributes has those of the volume, and the time of the object', t => {
	t.deepEqual(readAttributes(object('a'), {}, defaults), {...file, mtimeNs: 1_500_000_000n, atimeNs: 1_500_000_000n});
	t.like(readAttributes(object('a/'), {}, defaults), {kind: 'directory', permissions: 0o755});
	t.like(readAttributes(object(''), {}, defaults), {kind: 'directory'});
});

test('what was written is read again, and what is as the volume has it is not written', t => {
	const odd: FileAttributes = {...file, permissions: 0o4711, uid: 7, gid: 8, atimeNs: 9n, xattrs: {'user.a': 'AQ=='}};
	t.deepEqual(readAttributes(object('a'), writeAttributes(odd, {}, defaults), defaults), odd);
	const plain = writeAttributes(file, {}, defaults);
	t.deepEqual(Object.keys(plain), ['file-mtime']);
	t.deepEqual(readAttributes(object('a'), plain, defaults), file);
});

test('in a uniform volume objects keep their metadata, and it means nothing', t => {
	const uniform = {...defaults, attributes: 'uniform'} as const;
	const stored = writeAttributes({...file, uid: 7}, {}, defaults);
	t.is(writeAttributes({...file, uid: 8}, stored, uniform), stored);
	t.like(readAttributes(object('a'), stored, uniform), {uid: 1, mtimeNs: 1_500_000_000n});
});

test("with the pod's group everything but a symbolic link is shown as its own and writable for it", t => {
	const ofPod = {...defaults, fsGroup: 99};
	t.like(presentAttributes(file, ofPod), {gid: 99, permissions: 0o664});
	t.like(presentAttributes({...file, kind: 'directory', permissions: 0o700}, ofPod), {gid: 99, permissions: 0o2770});
	const link: FileAttributes = {...file, kind: 'symlink'};
	t.is(presentAttributes(link, ofPod), link);
	t.is(presentAttributes(file, defaults), file);
});

test('a new entry belongs to who makes it, and to the group of a directory with the set-group-ID bit', t => {
	const owner = {uid: 5, gid: 6};
	const directory: FileAttributes = {...file, kind: 'directory', permissions: 0o755};
	const sharing: FileAttributes = {...directory, permissions: 0o2755};
	const made = {kind: 'file', permissions: 0o600, rdev: 0} as const;
	t.like(newAttributes(made, owner, directory, 3n), {uid: 5, gid: 6, permissions: 0o600, mtimeNs: 3n, atimeNs: 3n});
	t.like(newAttributes(made, owner, sharing, 3n), {uid: 5, gid: 2, permissions: 0o600});
	t.like(newAttributes({...made, kind: 'directory'}, owner, sharing, 3n), {gid: 2, permissions: 0o2600});
});
