import {open} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import type {Place} from '../../src/upload/byte-source.ts';
import {copyPlaces} from '../../src/upload/copy-places.ts';
import {StagingFile} from '../../src/upload/staging-file.ts';
import {createRandomSource, testSeed} from '../support/random-source.ts';
import {createStagingDirectory} from '../support/volume-nodes.ts';

const space = {reserve: () => undefined, adopt: () => undefined, release: () => undefined};

/** A file that counts what is asked of it. */
class CountedFile extends StagingFile {
	callCount = 0;

	override async read(...options: Parameters<StagingFile['read']>): Promise<void> {
		this.callCount++;
		await super.read(...options);
	}

	override async write(...options: Parameters<StagingFile['write']>): Promise<void> {
		this.callCount++;
		await super.write(...options);
	}
}

test('places of any size, order and distance arrive as they are, and many small ones in few calls', async t => {
	const seed = testSeed();
	t.log(`PNX_VOLUME_TEST_SEED=${seed}`);
	const random = createRandomSource(seed);
	const directory = await createStagingDirectory(t);
	for (const sizes of [[1], [10], [3, 4000], [2 ** 20], [2 ** 20 + 1, 5], [3 * 2 ** 20, 1]]) {
		const [source, target] = ['source', 'target'].map(
			name => new CountedFile({open: async () => open(join(directory, name), 'w+'), space}),
		) as [CountedFile, CountedFile];
		const places: Place[] = [];
		for (let position = 0, count = 0; count < 300 && position < 2 ** 23; count++) {
			const bytes = random.pick(sizes);
			places.push({position, bytes});
			await source.write([places.at(-1)!], Buffer.alloc(bytes, `${count}.${bytes}`)); // Just pushed.
			position += bytes + random.below(3) * 100;
		}

		if (random.chance(0.5)) {
			places.reverse();
		}

		source.callCount = 0;
		const copies = await copyPlaces({file: source, places}, target);
		t.true(sizes[0]! > 10 || source.callCount + target.callCount < 10 || places[0]!.position > 0);
		for (const [index, {position, bytes}] of places.entries()) {
			const [expected, actual] = [Buffer.alloc(bytes), Buffer.alloc(bytes)];
			await source.read(position, expected);
			await target.read(copies[index]!.position, actual);
			t.true(actual.equals(expected), `seed ${seed}, ${sizes.join()}, place ${index}`);
		}

		await source.close();
		await target.close();
	}
});
