import {stat} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import {extentBytes} from '../../src/upload/extent-account.ts';
import {readContent} from '../../src/upload/content-piece.ts';
import {describeBytes} from '../end-to-end/reference/support/random-operations.ts';
import {createRandomSource, testSeed} from '../support/random-source.ts';
import {layerBytes, openStaging, someObject} from './support/staging.ts';

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
	const staging = await openStaging(t, {bytesMax: 10_000});
	const layer = staging.createLayer({lowerBytes: 0});
	for (let count = 0; count < 50; count++) {
		layer.truncate(0);
		await layer.write(0, Buffer.alloc(6000, count), {isAppend: false});
	}

	t.is(staging.usedBytes, 2 * 4096 + extentBytes);
	await t.throwsAsync(layer.write(6000, Buffer.alloc(5000), {isAppend: false}), {
		message: /staging-size allows 10000/,
	});
	t.is(staging.usedBytes, 2 * 4096 + extentBytes);
	t.is(layer.sizeBytes, 6000);
	await staging.discard(layer);
	t.is(staging.usedBytes, 0);
});

test('a layer is accounted with the blocks of the disk that it takes, and with its pieces', async t => {
	const staging = await openStaging(t);
	const layer = staging.createLayer({lowerBytes: 0});
	for (let count = 0; count < 100; count++) {
		await layer.write(count * 8192, Buffer.from('x'), {isAppend: false});
	}

	t.is(staging.usedBytes, 100 * (4096 + extentBytes));
	const {blocks} = await stat(join(staging.directory, `${layer.id}.data`));
	t.true(staging.usedBytes >= blocks * 512, `${blocks} blocks of 512 bytes on disk`);
	await layer.write(1, Buffer.from('x'), {isAppend: false});
	await layer.write(4000, Buffer.from('crosses a border'.repeat(10)), {isAppend: false});
	t.is(staging.usedBytes, 101 * (4096 + extentBytes));
	await layer.write(0, Buffer.alloc(100 * 8192), {isAppend: false});
	t.is(staging.usedBytes, 200 * 4096 - 4096 + extentBytes + 4096);
	layer.seal();
	await staging.record(layer, {key: 'file', base: undefined, metadata: {}, contentType: undefined, sealedAtMs: 0});
	const restarted = await openStaging(t, {directory: staging.directory});
	const [recovered] = (await restarted.recover()).layers;
	t.is(restarted.usedBytes, staging.usedBytes);
	await restarted.discard(recovered!.layer); // There is one.
	t.is(restarted.usedBytes, 0);
	await staging.discard(layer);
	t.is(staging.usedBytes, 0);
});

test('pieces without bytes of their own are accounted too, and have a bound', async t => {
	const staging = await openStaging(t, {bytesMax: 100 * extentBytes});
	const layer = staging.createLayer({lowerBytes: 10_000});
	const zero = (offset: number) => {
		layer.setSource(offset, offset + 1, {kind: 'zero'});
	};

	for (let count = 0; count < 98; count++) {
		zero(count * 2);
	}

	t.is(staging.usedBytes, 98 * extentBytes);
	zero(500);
	t.throws(
		() => {
			zero(502);
		},
		{message: /staging-size allows/},
	);
	layer.truncate(100);
	t.is(staging.usedBytes, 50 * extentBytes);
	await staging.discard(layer);
	t.is(staging.usedBytes, 0);
});

test('a layer knows which objects it names, also after keepView() and a restart', async t => {
	const staging = await openStaging(t);
	const layer = staging.createLayer({lowerBytes: 10});
	await layer.write(2, Buffer.from('x'), {isAppend: false});
	t.deepEqual(layer.objects, []);
	layer.seal();
	const [before, after] = [
		{...someObject, key: 'before', sizeBytes: 6},
		{...someObject, key: 'after', sizeBytes: 20},
	];
	layer.keepView({before, after, appendedFrom: 6, movedBytes: 10});
	const keys = (objects: typeof layer.objects) => [...new Set(objects.map(({key}) => key))];
	t.deepEqual(keys(layer.objects), ['before', 'after']);
	await staging.record(layer, {key: 'file', base: undefined, metadata: {}, contentType: undefined, sealedAtMs: 0});
	await staging.close();
	const restarted = await openStaging(t, {directory: staging.directory});
	const [recovered] = (await restarted.recover()).layers;
	t.deepEqual(keys(recovered!.layer.objects), ['before', 'after']); // There is one.
	await restarted.close();
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
	for (let count = 0; count < 20; count++) {
		await staging.forget(layer); // Takes as long as what comes before the close.
	}

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
