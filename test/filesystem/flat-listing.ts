import test from 'ava';
import {readFlatListing} from '../../src/filesystem/flat-listing.ts';

const read = (directory: string, keys: readonly string[], {isTruncated = false}: {isTruncated?: boolean} = {}) => {
	const objects = keys.map(key => ({key, etag: '', sizeBytes: 1, lastModifiedMs: 0}));
	const {directories, files} = readFlatListing(directory, {
		objects,
		prefixes: [],
		continuationToken: isTruncated ? 'more' : undefined,
	});
	return {
		directories: Object.fromEntries(
			[...directories].map(([path, {marker, names, isComplete}]) => [
				path,
				{hasMarker: marker !== undefined, isComplete, names: Object.fromEntries(names)},
			]),
		),
		files: files.map(({key}) => key),
	};
};

test('a listing without a delimiter says what each directory below has', t => {
	t.deepEqual(read('d', ['d/', 'd/a', 'd/e/', 'd/e/f', 'd/g/h/i']), {
		directories: {
			d: {hasMarker: true, isComplete: true, names: {a: false, e: true, g: true}},
			'd/e': {hasMarker: true, isComplete: true, names: {f: false}},
			'd/g': {hasMarker: false, isComplete: true, names: {h: true}},
			'd/g/h': {hasMarker: false, isComplete: true, names: {i: false}},
		},
		files: ['d/a', 'd/e/f', 'd/g/h/i'],
	});
	t.deepEqual(read('d', []), {
		directories: {d: {hasMarker: false, isComplete: true, names: {}}},
		files: [],
	});
});

test('of the end of a page that is not the last, nothing is said', t => {
	const {directories, files} = read('d', ['d/a', 'd/b/x', 'd/c', 'd/c-1', 'd/e/f', 'd/e/g'], {isTruncated: true});
	t.deepEqual(files, ['d/a', 'd/b/x', 'd/c', 'd/c-1', 'd/e/f'], 'Of d/e/g, keys below it may come');
	t.is(directories['d']?.isComplete, false);
	t.is(directories['d/b']?.isComplete, true);
	t.is(directories['d/e']?.isComplete, false);
	t.deepEqual(read('d', ['d/c', 'd/c-1'], {isTruncated: true}).files, [], 'd/c/x comes behind d/c-1');
});

test('an object of the name of a directory is not a file, and keys that cannot be paths show their directories only', t => {
	t.deepEqual(read('', ['a', 'a-', 'a/b', 'x//y', 'x/z/./w', 'y/..']), {
		directories: {
			'': {hasMarker: false, isComplete: true, names: {a: true, 'a-': false, x: true, y: true}},
			a: {hasMarker: false, isComplete: true, names: {b: false}},
			x: {hasMarker: false, isComplete: true, names: {z: true}},
			'x/z': {hasMarker: false, isComplete: true, names: {}},
			y: {hasMarker: false, isComplete: true, names: {}},
		},
		files: ['a-', 'a/b'],
	});
});
