import test from 'ava';
import {
	type ObjectAttributes,
	formatObjectAttributes,
	metadataBytes,
	parseObjectAttributes,
} from '../../src/model/object-attributes.ts';
import {kindOfMode, typeBitsOf} from '../../src/model/entry-kind.ts';

const known = (attributes: ObjectAttributes): Record<string, unknown> =>
	Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));

for (const [title, metadata, expected] of [
	['nothing', {}, {}],
	[
		'AWS DataSync',
		{
			'file-permissions': '0100640',
			'file-owner': '1000',
			'file-group': '1001',
			'file-mtime': '1595002920000000001ns',
			'file-atime': '1595002920000000000ns',
		},
		{
			kind: 'file',
			permissions: 0o640,
			uid: 1000,
			gid: 1001,
			mtimeNs: 1_595_002_920_000_000_001n,
			atimeNs: 1_595_002_920_000_000_000n,
		},
	],
	[
		'FSx for Lustre, in milliseconds',
		{'file-permissions': '0100644', 'file-mtime': '1595002920000'},
		{kind: 'file', permissions: 0o644, mtimeNs: 1_595_002_920_000_000_000n},
	],
	[
		's3fs',
		{mode: '33188', uid: '5', gid: '6', mtime: '1595002920.5', atime: '1595002920'},
		{
			kind: 'file',
			permissions: 0o644,
			uid: 5,
			gid: 6,
			mtimeNs: 1_595_002_920_500_000_000n,
			atimeNs: 1_595_002_920_000_000_000n,
		},
	],
	['s3fs with an octal mode', {mode: '0120777'}, {kind: 'symlink', permissions: 0o777}],
	['s3fs with a hexadecimal mode', {mode: '0x81a4'}, {kind: 'file', permissions: 0o644}],
	['rclone', {mtime: '1595002920.000000001'}, {mtimeNs: 1_595_002_920_000_000_001n}],
	['rclone before 1970', {mtime: '-1.25'}, {mtimeNs: -1_250_000_000n}],
	[
		'GCS',
		{
			'goog-reserved-posix-mode': '600',
			'goog-reserved-posix-uid': '7',
			'goog-reserved-posix-gid': '8',
			'goog-reserved-file-mtime': '1595002920',
		},
		{permissions: 0o600, uid: 7, gid: 8, mtimeNs: 1_595_002_920_000_000_000n},
	],
	[
		'two programs: ours before the others',
		{'file-permissions': '0100600', mode: '33188', 'file-owner': '1', uid: '2', 'file-mtime': '1ns', mtime: '5'},
		{kind: 'file', permissions: 0o600, uid: 1, mtimeNs: 1n},
	],
	[
		'extended attributes as s3fs writes them',
		{xattr: '%7B%22user.a%22%3A%22YQ%3D%3D%22%7D'},
		{xattrs: {'user.a': 'YQ=='}},
	],
	[
		'set-uid, and a device',
		{'file-permissions': '0024755', 'file-rdev': '1281'},
		{kind: 'character-device', permissions: 0o4755, rdev: 1281},
	],
	[
		'nonsense',
		{
			'file-permissions': '0999',
			'file-owner': '-1',
			'file-group': '4294967296',
			'file-mtime': 'yesterday',
			mtime: '1e9',
			xattr: '%E0%A4%A',
		},
		{},
	],
	['extended attributes that are no object', {xattr: '42'}, {}],
	[
		'an empty text in each',
		{'file-permissions': '', 'file-owner': '', 'file-mtime': '', mode: '', uid: '', xattr: ''},
		{},
	],
] as const) {
	test(`parseObjectAttributes() reads ${title}`, t => {
		t.deepEqual(known(parseObjectAttributes(metadata)), expected);
	});
}

test('what formatObjectAttributes() writes is read back', t => {
	for (const kind of ['file', 'directory', 'symlink', 'fifo', 'socket', 'character-device', 'block-device'] as const) {
		const attributes: ObjectAttributes = {
			kind,
			permissions: 0o1751,
			uid: 0,
			gid: 4_294_967_294,
			mtimeNs: 1_234_567_890_123_456_789n,
			atimeNs: -5n,
			rdev: 2049,
			xattrs: {'user.ü': 'AAE=', 'user.%': ''},
		};
		t.deepEqual(parseObjectAttributes(formatObjectAttributes(attributes)), attributes);
		t.is(kindOfMode(typeBitsOf(kind) | 0o777), kind);
	}
});

test('formatObjectAttributes() writes only what is known, keeps what other programs wrote, and drops what would contradict', t => {
	t.deepEqual(
		formatObjectAttributes({}, {author: 'somebody', mode: '33188', 'goog-reserved-posix-uid': '7', 'file-owner': '9'}),
		{author: 'somebody'},
	);
	t.deepEqual(formatObjectAttributes({permissions: 0o644, rdev: 0, xattrs: {}}), {'file-permissions': '0100644'});
});

test('formatObjectAttributes() writes ASCII, as headers must be', t => {
	const metadata = formatObjectAttributes({xattrs: {'user.ümlaut 😀': 'w7w='}});
	t.regex(Object.values(metadata).join(''), /^[ -~]*$/);
});

test('metadataBytes() counts names and values in bytes', t => {
	t.is(metadataBytes({a: 'ü', bc: ''}), 5);
});
