import test from 'ava';
import {readContent} from '../../src/upload/content-piece.ts';
import {describeBytes} from '../end-to-end/reference/support/random-operations.ts';
import {createRandomSource, testSeed} from '../support/random-source.ts';
import {layerBytes, openStaging} from './support/staging.ts';

test('a layer shows what an array of bytes would, whatever is written, zeroed, cut and extended', async t => {
	const seed = testSeed();
	t.log(`PNX_VOLUME_TEST_SEED=${seed}`);
	const random = createRandomSource(seed);
	const staging = await openStaging(t);
	for (let round = 0; round < 20; round++) {
		const lower = Buffer.alloc(random.below(300), 'l');
		let expected = Buffer.from(lower);
		const layer = staging.createLayer({lowerBytes: lower.length});
		for (let step = 0; step < 60; step++) {
			const start = random.below(350);
			const end = start + 1 + random.below(120);
			switch (random.below(4)) {
				case 0: {
					layer.truncate(start);
					expected = Buffer.concat([expected.subarray(0, start), Buffer.alloc(Math.max(0, start - expected.length))]);
					break;
				}

				case 1: {
					layer.setSource(start, end, {kind: 'zero'});
					expected = extended(expected, end).fill(0, start, end);
					break;
				}

				default: {
					const data = Buffer.alloc(end - start, 65 + random.below(26));
					await layer.write(start, data, {isAppend: false});
					expected = extended(expected, end);
					expected.set(data, start);
				}
			}

			t.is(
				describeBytes(await layerBytes(layer, lower)),
				describeBytes(expected),
				`seed ${seed}, round ${round}, step ${step}`,
			);
		}

		await staging.discard(layer);
	}

	t.is(staging.usedBytes, 0);
});

const extended = (bytes: Buffer, sizeBytes: number): Buffer<ArrayBuffer> =>
	Buffer.concat([bytes, Buffer.alloc(Math.max(0, sizeBytes - bytes.length))]);

test('a layer that is displaced while bytes are written to it has them behind the new end', async t => {
	const staging = await openStaging(t);
	const layer = staging.createLayer({lowerBytes: 10});
	await layer.write(10, Buffer.from('first'), {isAppend: true});
	const writing = layer.write(15, Buffer.from('second'), {isAppend: true});
	layer.displace(100);
	await writing;
	t.is((await layerBytes(layer, Buffer.alloc(110, '.'))).toString(), `${'.'.repeat(110)}firstsecond`);
	t.is(layer.appendedFrom, 110);
	await staging.discard(layer);
});

test('a layer that was displaced takes writes below and between what was displaced, and each byte stays where it belongs', async t => {
	const seed = testSeed();
	t.log(`PNX_VOLUME_TEST_SEED=${seed}`);
	const random = createRandomSource(seed);
	for (let round = 0; round < 20; round++) {
		const staging = await openStaging(t);
		const layer = staging.createLayer({lowerBytes: 10});
		let expected = Buffer.from('0123456789');
		for (let count = 1 + random.below(3); count > 0; count--) {
			const data = Buffer.alloc(1 + random.below(20), `a${count}`);
			await layer.write(layer.sizeBytes, data, {isAppend: true});
			const movedBytes = random.below(30);
			layer.displace(movedBytes);
			expected = Buffer.concat([expected.subarray(0, 10), Buffer.alloc(movedBytes, '.'), expected.subarray(10), data]);
		}

		const lower = Buffer.concat([expected.subarray(0, 10), Buffer.alloc(layer.lowerBytes - 10, '.')]);
		for (let count = 0; count < 10; count++) {
			const data = Buffer.alloc(1 + random.below(20), 65 + count);
			const start = random.below(expected.length);
			await layer.write(start, data, {isAppend: false});
			expected = extended(expected, start + data.length);
			expected.set(data, start);
			t.is((await layerBytes(layer, lower)).toString(), expected.toString(), `seed ${seed}, round ${round}`);
		}

		await staging.discard(layer);
	}
});

test('a read of a layer finds its bytes when the layer is displaced meanwhile', async t => {
	const staging = await openStaging(t);
	const layer = staging.createLayer({lowerBytes: 4});
	await layer.write(4, Buffer.from('tail'), {isAppend: true});
	const content = layer.resolve(4, 8, () => []);
	layer.displace(1000);
	const target = Buffer.alloc(4);
	await readContent(content, target, async () => t.fail('nothing is read from S3'));
	t.is(target.toString(), 'tail');
	await staging.discard(layer);
});

test('a write at an offset that is given while it is on its way makes a layer one that is not only appended to', async t => {
	const staging = await openStaging(t);
	const layer = staging.createLayer({lowerBytes: 10});
	const writing = layer.write(3, Buffer.from('x'), {isAppend: false});
	t.is(layer.appendedFrom, undefined);
	await writing;
	await staging.discard(layer);
});

test('a file that is cut and written again and again takes the space of its longest state only', async t => {
	const staging = await openStaging(t, {bytesMax: 1000});
	const layer = staging.createLayer({lowerBytes: 0});
	for (let count = 0; count < 50; count++) {
		layer.truncate(0);
		await layer.write(0, Buffer.alloc(600, count), {isAppend: false});
	}

	t.is(staging.usedBytes, 600);
	await t.throwsAsync(layer.write(600, Buffer.alloc(500), {isAppend: false}), {message: /staging-size allows 1000/});
	t.is(staging.usedBytes, 600);
	t.is(layer.sizeBytes, 600);
	await staging.discard(layer);
	t.is(staging.usedBytes, 0);
});

test('a layer is closed when the last of its readers is done, not before', async t => {
	const staging = await openStaging(t);
	const layer = staging.createLayer({lowerBytes: 0});
	await layer.write(0, Buffer.from('bytes'), {isAppend: false});
	layer.pin();
	layer.pin();
	let isDiscarded = false;
	const discarding = staging.discard(layer).then(() => {
		isDiscarded = true;
	});
	layer.unpin();
	const target = Buffer.alloc(5);
	await layer.read(0, target);
	t.is(target.toString(), 'bytes');
	t.false(isDiscarded);
	layer.unpin();
	await discarding;
	t.is(staging.usedBytes, 0);
});

test('a sealed layer refuses every change', async t => {
	const staging = await openStaging(t);
	const layer = staging.createLayer({lowerBytes: 0});
	layer.seal();
	await t.throwsAsync(layer.write(0, Buffer.from('x'), {isAppend: false}), {message: /never changes/});
	t.throws(
		() => {
			layer.truncate(0);
		},
		{message: /never changes/},
	);
	t.throws(
		() => {
			layer.setSource(0, 1, {kind: 'zero'});
		},
		{message: /never changes/},
	);
	await staging.discard(layer);
});
