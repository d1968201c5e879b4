import test from 'ava';
import {listKeys} from '../../../src/dev-server/listing.ts';
import {KeyIndex} from '../../../src/dev-server/storage/key-index.ts';
import {createRandom} from '../../../src/dev-server/fault-plan.ts';

const keysOf = (index: KeyIndex): string[] => {
	const keys: string[] = [];
	const cursor = index.seek('');
	while (cursor.key !== undefined) {
		keys.push(cursor.key);
		cursor.next();
	}

	return keys;
};

test('the index holds what a sorted set holds after thousands of random changes', t => {
	const random = createRandom(7);
	const index = new KeyIndex();
	const expected = new Set<string>();
	for (let step = 0; step < 20_000; step++) {
		const key = `${Math.floor(random() * 40)}/${Math.floor(random() * 100)}`;
		if (random() < 0.6) {
			index.add(key);
			expected.add(key);
		} else {
			index.remove(key);
			expected.delete(key);
		}
	}

	t.is(index.count, expected.size);
	t.deepEqual(keysOf(index), [...expected].sort());
	t.is(
		index.seek('5/').key,
		[...expected].sort().find(key => key >= '5/'),
	);
	t.is(
		index.seekPast('5/').key,
		[...expected].sort().find(key => key > '5/' && !key.startsWith('5/')),
	);
	for (const key of expected) {
		index.remove(key);
	}

	t.is(index.seek('').key, undefined);
});

test('a page with a delimiter jumps over common prefixes however many keys they hide', t => {
	const index = new KeyIndex();
	for (let number = 0; number < 200_000; number++) {
		index.add(`d${number % 20}/f${number}`);
	}

	index.add('z');
	// A listing that scans would visit 4,000 million keys, and not end before AVA gives up.
	for (let repeat = 0; repeat < 20_000; repeat++) {
		const {entries} = listKeys(index, {prefix: '', delimiter: '/', start: {}, countMax: 1000});
		t.is(entries.length, 21);
	}
});

test('inserts in random order stay fast with 1,000,000 keys', t => {
	const random = createRandom(3);
	const index = new KeyIndex();
	// Where each insert moved the rest, this would not end before AVA gives up.
	for (let number = 0; number < 1_000_000; number++) {
		index.add(random().toString(36));
	}

	t.true(index.count > 999_000);
});
