import {setImmediate} from 'node:timers/promises';
import test from 'ava';
import {startTestS3Store} from '../support/test-s3-store.ts';

test('answers that come at the same time keep their bytes, whatever else is read while they wait for their reader', async t => {
	const {store} = await startTestS3Store(t);
	const letters = Array.from('abcdefgh');
	const sizeBytes = 1_500_000;
	for (const letter of letters) {
		await store.put(letter, Buffer.alloc(sizeBytes, letter));
	}

	const readSlowly = async (letter: string): Promise<boolean> => {
		let byteCount = 0;
		for await (const piece of (await store.get(letter))!.body) {
			// It was put above.
			await setImmediate();
			await setImmediate();
			if (!Buffer.from(piece).equals(Buffer.alloc(piece.length, letter))) {
				return false;
			}

			byteCount += piece.length;
		}

		return byteCount === sizeBytes;
	};

	// Twice, so that connections are used again.
	for (const round of [1, 2]) {
		t.deepEqual(await Promise.all(letters.map(readSlowly)), Array<boolean>(letters.length).fill(true), String(round));
	}
});
