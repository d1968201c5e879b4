import test, {type ExecutionContext} from 'ava';
import {
	type UploadPlan,
	growPartBytes,
	objectBytesMax,
	partBytesMax,
	partBytesMin,
	partCountMax,
	planUpload,
} from '../../src/upload/upload-plan.ts';
import type {LocalBytes} from '../../src/upload/byte-source.ts';
import {type ContentPiece, contentBytes} from '../../src/upload/content-piece.ts';
import {createRandomSource, testSeed} from '../support/random-source.ts';

const mebibyte = 2 ** 20;
const gibibyte = 2 ** 30;
const tebibyte = 2 ** 40;
const object = {key: 'old', etag: 'etag', sizeBytes: 5 * tebibyte, lastModifiedMs: 0};

/** Nothing is read of it: a plan only says what to read. */
const layer: LocalBytes = {
	read: () => Promise.reject(new Error('A plan reads nothing')),
	crcOf: () => undefined,
	pin() {},
	unpin() {},
};

const local = (position: number, bytes: number): ContentPiece => ({bytes, source: {kind: 'local', layer, position}});
const zero = (bytes: number): ContentPiece => ({bytes, source: {kind: 'zero'}});
const copied = (objectOffset: number, bytes: number): ContentPiece => ({
	bytes,
	source: {kind: 'object', object, objectOffset},
});

/** A content as stretches that follow each other are merged: equal for equal bytes. */
const normalize = (content: readonly ContentPiece[]): string[] => {
	const merged: Array<{kind: string; from: number; bytes: number}> = [];
	for (const {bytes, source} of content) {
		const from = source.kind === 'zero' ? 0 : source.kind === 'local' ? source.position : source.objectOffset;
		const last = merged.at(-1);
		if (last?.kind === source.kind && (source.kind === 'zero' || last.from + last.bytes === from)) {
			last.bytes += bytes;
		} else {
			merged.push({kind: source.kind, from, bytes});
		}
	}

	return merged.map(({kind, from, bytes}) => `${kind} ${from}+${bytes}`);
};

const contentOf = (plan: UploadPlan): ContentPiece[] => {
	switch (plan.kind) {
		case 'put': {
			return [...plan.pieces];
		}

		case 'copy': {
			return [copied(0, plan.object.sizeBytes)];
		}

		case 'multipart': {
			return plan.parts.flatMap(part =>
				part.kind === 'send' ? part.pieces : [copied(part.start, part.end - part.start)],
			);
		}
	}
};

const assertLegal = (t: ExecutionContext, content: readonly ContentPiece[], partBytes: number): UploadPlan => {
	const plan = planUpload(content, {partBytes});
	t.deepEqual(normalize(contentOf(plan)), normalize(content), 'the plan is the content, whole and in order');
	if (plan.kind === 'multipart') {
		t.true(plan.parts.length <= partCountMax, `${plan.parts.length} parts`);
		for (const [index, part] of plan.parts.entries()) {
			const bytes = part.kind === 'send' ? part.bytes : part.end - part.start;
			t.true(
				bytes <= partBytesMax && bytes > 0 && (bytes >= partBytesMin || index === plan.parts.length - 1),
				`part ${index + 1} of ${plan.parts.length} has ${bytes} bytes`,
			);
			if (part.kind === 'send') {
				t.is(contentBytes(part.pieces), bytes);
			}
		}
	}

	return plan;
};

test('planUpload() covers any content exactly with parts that S3 takes', t => {
	const seed = testSeed();
	t.log(`PNX_VOLUME_TEST_SEED=${seed}`);
	const random = createRandomSource(seed);
	for (let round = 0; round < 300; round++) {
		const content: ContentPiece[] = [];
		let offset = 0;
		for (let count = 1 + random.below(12); count > 0; count--) {
			const bytes = 1 + random.below(random.pick([100, mebibyte, 6 * mebibyte, 20 * mebibyte, 3 * gibibyte]));
			content.push(random.pick([local, copied, (_: number, zeros: number) => zero(zeros)])(offset, bytes));
			offset += bytes;
		}

		assertLegal(t, content, random.pick([5, 8, 16, 100]) * mebibyte);
	}
});

for (const [title, content, kind] of [
	['nothing', [], 'put'],
	['one byte', [local(0, 1)], 'put'],
	['exactly one part', [local(0, 8 * mebibyte)], 'put'],
	['one byte more than a part', [local(0, 8 * mebibyte + 1)], 'multipart'],
	['a large object with one changed byte in front', [local(0, 1), copied(1, 10 * gibibyte)], 'multipart'],
	['a large object with one changed byte at the end', [copied(0, 10 * gibibyte), local(10 * gibibyte, 1)], 'multipart'],
	['a hole of a tebibyte', [local(0, 1), zero(tebibyte), local(tebibyte + 1, 1)], 'multipart'],
	['5 TiB that were written', [local(0, 5 * tebibyte)], 'multipart'],
	[
		'5 TiB with one changed byte in the middle',
		[copied(0, 2 * tebibyte), local(2 * tebibyte, 1), copied(2 * tebibyte + 1, 3 * tebibyte - 1)],
		'multipart',
	],
] as const) {
	test(`planUpload() makes legal parts of ${title}`, t => {
		t.is(assertLegal(t, content, 8 * mebibyte).kind, kind);
	});
}

test('planUpload() copies a whole object in one request, and in parts above 5 GiB', t => {
	const whole = (sizeBytes: number): ContentPiece => ({
		bytes: sizeBytes,
		source: {kind: 'object', object: {...object, sizeBytes}, objectOffset: 0},
	});
	t.is(planUpload([whole(1)], {partBytes: 8 * mebibyte}).kind, 'copy');
	t.is(planUpload([whole(5 * gibibyte)], {partBytes: 8 * mebibyte}).kind, 'copy');
	const plan = planUpload([whole(5 * gibibyte + 1)], {partBytes: 8 * mebibyte});
	t.true(plan.kind === 'multipart' && plan.parts.every(part => part.kind === 'copy'));
});

test('planUpload() sends no more of a large object than the changed byte needs to be a part', t => {
	const plan = assertLegal(t, [copied(0, gibibyte), local(gibibyte, 1), copied(gibibyte + 1, gibibyte)], 8 * mebibyte);
	t.true(plan.kind === 'multipart');
	const sentBytes =
		plan.kind === 'multipart'
			? plan.parts.reduce((total, part) => total + (part.kind === 'send' ? part.bytes : 0), 0)
			: 0;
	t.is(sentBytes, partBytesMin);
});

test('planUpload() sends a changed byte with bytes around it that one range of a read brings', t => {
	const partBytes = 8 * mebibyte;
	const sizeBytes = 40 * partBytes;
	const rangeOf = (at: number): [number, number] => {
		const content = [copied(0, at), local(0, 1), copied(at + 1, sizeBytes - at - 1)];
		const plan = planUpload(content, {partBytes});
		const [before, sent] = plan.kind === 'multipart' ? plan.parts : [];
		t.is(before?.kind, 'copy');
		t.is(sent?.kind === 'send' ? sent.bytes : 0, partBytesMin);
		const start = before?.kind === 'copy' ? before.end : 0;
		return [start / mebibyte, (start + partBytesMin) / mebibyte];
	};

	t.deepEqual(rangeOf(33 * mebibyte), [33, 38]);
	t.deepEqual(rangeOf(35 * mebibyte), [35, 40]);
	t.deepEqual(rangeOf(36 * mebibyte), [35, 40]);
	t.deepEqual(rangeOf(39 * mebibyte), [35, 40]);
	t.deepEqual(rangeOf(40 * mebibyte), [40, 45]);
	// Otherwise the copy before it would be too small.
	t.deepEqual(rangeOf(6 * mebibyte), [6, 11]);
});

test('planUpload() ends with at most 10,000 parts for a large object that was changed in many places', t => {
	const content: ContentPiece[] = [];
	for (let index = 0; index < 12_000; index++) {
		content.push(local(index * 11 * mebibyte, 4096), copied(index * 11 * mebibyte + 4096, 11 * mebibyte - 4096));
	}

	const plan = assertLegal(t, content, 8 * mebibyte);
	t.is(plan.kind, 'multipart');
	t.is(contentBytes(contentOf(plan)), contentBytes(content));
});

test('planUpload() refuses what is larger than S3 takes, with both sizes', t => {
	t.throws(() => planUpload([zero(objectBytesMax + 1)], {partBytes: 8 * mebibyte}), {
		instanceOf: RangeError,
		message: /5497558138880 bytes: current value is 5497558138881/,
	});
});

test('growPartBytes() keeps the wanted size as long as 10,000 parts are enough', t => {
	t.is(growPartBytes(60 * gibibyte, 8 * mebibyte), 8 * mebibyte);
	const grown = growPartBytes(5 * tebibyte, 8 * mebibyte);
	t.is(grown % mebibyte, 0);
	t.true(grown * partCountMax >= 5 * tebibyte);
});
