import test from 'ava';
import type {ExtentSource} from '../../src/upload/byte-source.ts';
import {ExtentMap} from '../../src/upload/extent-map.ts';
import {createRandomSource, testSeed} from '../support/random-source.ts';

const object = {key: 'object', etag: 'etag', sizeBytes: 10_000, lastModifiedMs: 0};

/** What one byte of the map is, as text: its source and which byte of it. */
const describeByte = (source: ExtentSource | undefined, distance: number): string =>
	source === undefined
		? '-'
		: source.kind === 'object'
			? `object ${source.objectOffset + distance}`
			: source.kind === 'local'
				? `local ${source.position + distance}`
				: 'zero';

test('an extent map is what an array with a source for each byte would be', t => {
	const seed = testSeed();
	t.log(`PNX_VOLUME_TEST_SEED=${seed}`);
	const random = createRandomSource(seed);
	for (let round = 0; round < 200; round++) {
		let map = new ExtentMap();
		let bytes: string[] = Array.from({length: 300}, () => '-');
		for (let step = 0; step < 40; step++) {
			const start = random.below(250);
			const end = start + random.below(50);
			const source: ExtentSource = random.pick([
				{kind: 'local', position: random.below(2) * 1000 + start},
				{kind: 'zero'},
				{kind: 'object', object, objectOffset: random.below(100)},
			] as const);
			if (random.chance(0.1)) {
				map.truncate(start);
				bytes = bytes.map((byte, index) => (index < start ? byte : '-'));
			} else {
				map.set(start, end, source);
				bytes = bytes.map((byte, index) =>
					index >= start && index < end ? describeByte(source, index - start) : byte,
				);
			}

			map = random.chance(0.1) ? ExtentMap.from(structuredClone(map.toJSON())) : map;
			const [from, to] = [random.below(150), 150 + random.below(150)];
			const pieces = map.slice(from, to);
			t.deepEqual(
				pieces.flatMap(({start: first, end: last, source: of}) =>
					Array.from({length: last - first}, (_, index) => describeByte(of, index)),
				),
				bytes.slice(from, to),
				`seed ${seed}, round ${round}, step ${step}`,
			);
			assertCanonical(map);
			t.is(map.localBytes, bytes.filter(byte => byte.startsWith('local')).length);
			t.is(
				map.isEmpty,
				bytes.every(byte => byte === '-'),
			);
		}
	}
});

const assertCanonical = (map: ExtentMap): void => {
	for (const [index, {start, end, source}] of map.extents.entries()) {
		const next = map.extents[index + 1];
		if (
			start >= end ||
			(next !== undefined &&
				(next.start < end ||
					(next.start === end &&
						source.kind !== 'object' &&
						describeByte(next.source, 0) === describeByte(source, end - start))))
		) {
			throw new Error(`The extents are not sorted, merged and apart: ${JSON.stringify(map.extents)}`);
		}
	}
};

test('extents that are moved show the same bytes further on', t => {
	const map = ExtentMap.from([
		{start: 10, end: 20, source: {kind: 'local', position: 3}},
		{start: 30, end: 40, source: {kind: 'object', object, objectOffset: 7}},
	]);
	const moved = map.shifted(100);
	t.deepEqual(
		moved.slice(100, 150).map(({start, end, source}) => [start - 100, end - 100, source]),
		map.slice(0, 50).map(({start, end, source}) => [start, end, source]),
	);
	t.is(map.extents[0]?.start, 10, 'the map itself stays');
});

test('sequential writes are one extent, however many there are', t => {
	const map = new ExtentMap();
	for (let offset = 0; offset < 100_000; offset += 10) {
		map.set(offset, offset + 10, {kind: 'local', position: 7 + offset});
	}

	t.is(map.extents.length, 1);
});
