import test from 'ava';
import {PartBuffers} from '../../src/upload/part-buffers.ts';

const mebibyte = 2 ** 20;

test('no more bytes are lent at once than the bound, and one part always is', async t => {
	for (const [bytesMax, partBytes, countMax] of [
		[20 * mebibyte, 8 * mebibyte, 2],
		[mebibyte, 8 * mebibyte, 1],
		[3 * mebibyte, mebibyte, 3],
		[mebibyte / 4, 1, 4],
		[mebibyte / 4, 2 ** 16 + 1, 2],
	] as const) {
		const buffers = new PartBuffers({partBytes: 8 * mebibyte, bytesMax});
		const gates = Array.from({length: 6}, () => Promise.withResolvers<void>());
		let lentCount = 0;
		let lentCountMax = 0;
		const tasks = gates.map(async ({promise}) =>
			buffers.lend(partBytes, async buffer => {
				t.is(buffer.length, partBytes);
				lentCountMax = Math.max(lentCountMax, ++lentCount);
				await promise;
				lentCount--;
			}),
		);
		for (const {resolve} of gates) {
			await new Promise(setImmediate);
			resolve();
		}

		await Promise.all(tasks);
		t.is(lentCountMax, countMax);
	}
});

test('what fails gives its bytes back', async t => {
	const buffers = new PartBuffers({partBytes: mebibyte, bytesMax: mebibyte});
	await t.throwsAsync(
		buffers.lend(mebibyte, async () => {
			throw new Error('S3 is away');
		}),
		{message: 'S3 is away'},
	);
	t.is(await buffers.lend(mebibyte, async buffer => buffer.length), mebibyte);
});
