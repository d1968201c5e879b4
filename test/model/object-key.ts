import test from 'ava';
import {
	compareKeys,
	isEntryName,
	isWithin,
	joinPath,
	nameOf,
	parentOf,
	toKeyPrefix,
} from '../../src/model/object-key.ts';
import {createRandomSource, testSeed} from '../support/random-source.ts';

for (const [name, isName] of [
	['a', true],
	['.hidden', true],
	['...', true],
	['a b', true],
	['ü', true],
	['\u0001', true],
	['-', true],
	['', false],
	['.', false],
	['..', false],
	['a/b', false],
	['a\0b', false],
	['a'.repeat(255), true],
	['a'.repeat(256), false],
	['ü'.repeat(127), true],
	['ü'.repeat(128), false],
	['😀'.repeat(63), true],
	['😀'.repeat(64), false],
] as const) {
	test(`isEntryName() says ${isName} to ${JSON.stringify(name.slice(0, 10))} of ${Buffer.byteLength(name)} bytes`, t => {
		t.is(isEntryName(name), isName);
	});
}

test('compareKeys() orders as S3 does: by the bytes of UTF-8', t => {
	const seed = testSeed();
	t.log(`PNX_VOLUME_TEST_SEED=${seed}`);
	const random = createRandomSource(seed);
	const letters = ['a', 'b', '/', '!', '~', '\u007F', 'ü', '\uD7FF', '\uE000', '\uFFFD', '😀', '𐀀'];
	const keys = Array.from({length: 400}, () =>
		Array.from({length: random.below(5)}, () => random.pick(letters)).join(''),
	);
	for (const left of keys) {
		for (const right of keys.slice(0, 60)) {
			t.is(
				Math.sign(compareKeys(left, right)),
				Buffer.compare(Buffer.from(left), Buffer.from(right)),
				`${left} and ${right}`,
			);
		}
	}
});

test('a path is taken apart and put together again', t => {
	for (const [path, parent, name] of [
		['a', '', 'a'],
		['a/b', 'a', 'b'],
		['a/b/c', 'a/b', 'c'],
	] as const) {
		t.is(parentOf(path), parent);
		t.is(nameOf(path), name);
		t.is(joinPath(parent, name), path);
	}

	t.is(parentOf(''), '');
});

for (const [path, directory, expected] of [
	['a/b', 'a', true],
	['a', 'a', true],
	['ab', 'a', false],
	['a', 'a/b', false],
	['a', '', true],
	['', '', true],
] as const) {
	test(`isWithin() says ${expected} to "${path}" in "${directory}"`, t => {
		t.is(isWithin(path, directory), expected);
	});
}

for (const [prefix, expected] of [
	['', ''],
	['/', ''],
	['a', 'a/'],
	['a/', 'a/'],
	['//a/b//', 'a/b/'],
] as const) {
	test(`toKeyPrefix() makes "${expected}" of "${prefix}"`, t => {
		t.is(toKeyPrefix(prefix), expected);
	});
}
