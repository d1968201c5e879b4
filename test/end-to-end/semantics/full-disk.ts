/** What section 4 of docs/SEMANTICS.md says of a disk that is full, on one that is small. */
import {constants, openSync, closeSync, rmSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import {DiskBlockCache} from '../../../src/cache/disk-block-cache.ts';
import {createFileSystem} from '../../../src/filesystem/create-file-system.ts';
import {parseOpenFlags} from '../../../src/fuse/open-flags.ts';
import {parseVolumeOptions} from '../../../src/model/volume-options.ts';
import {StagingArea} from '../../../src/upload/staging-area.ts';
import {createFaultyObjectStore} from '../../store/doubles/faulty-object-store.ts';
import {createMemoryObjectStore} from '../../store/doubles/memory-object-store.ts';
import {fuse, python, root, testThatNeeds} from '../../support/needs.ts';
import {objectText} from '../../support/volume-nodes.ts';
import {mountSmallDisk} from './support/small-disk.ts';

const {serial: onMountsOfRoot} = testThatNeeds(fuse, python, root);
const mebibyte = 2 ** 20;

/** Without a wait, so that the cache cannot do anything about it by itself before the test goes on. */
const fillDisk = (filler: string): void => {
	const file = openSync(filler, 'a');
	for (const bytes of [mebibyte, 4096]) {
		try {
			for (;;) {
				writeSync(file, Buffer.alloc(bytes));
			}
		} catch {
			// It is full.
		}
	}

	closeSync(file);
};

onMountsOfRoot(
	'4.18 When the disk is full, the volume removes what it has cached there before a `write()` or `fsync()` fails with ENOSPC.',
	async t => {
		const disk = await mountSmallDisk(t, 128 * mebibyte);
		const bucket = createMemoryObjectStore();
		const store = createFaultyObjectStore(bucket);
		const cache = await DiskBlockCache.open({directory: join(disk, 'cache'), bytesMax: 2 ** 30});
		const staging = await StagingArea.open({
			directory: join(disk, 'staging'),
			bytesMax: 2 ** 30,
			isDurable: true,
			makeRoom: async () => cache.giveWay(),
		});
		const options = parseVolumeOptions({name: 'bucket', durability: 'journal'});
		const fileSystem = await createFileSystem({
			...{store, staging, blockCache: cache, options},
			memoryBytesMax: 64 * mebibyte,
		});
		t.teardown(async () => {
			store.heal();
			await fileSystem.close();
		});
		const creation = {permissions: 0o644, caller: {uid: 0, gid: 0}};
		const open = async (path: string, flags: number) =>
			(await fileSystem.open(path, parseOpenFlags(flags), creation)).handle;
		for (let index = 0; index < 40; index++) {
			await cache.put('ab12', index, Buffer.alloc(mebibyte, 'x'));
		}

		t.true(cache.usedBytes > 36 * mebibyte);
		store.inject({method: 'put', isBlocked: true});
		const writer = await open('written', constants.O_CREAT | constants.O_WRONLY);
		const filler = join(disk, 'filler');
		fillDisk(filler);
		await fileSystem.write(writer, Buffer.alloc(mebibyte, 'a'), 0);
		fillDisk(filler);
		await fileSystem.fsync(writer);
		t.true(cache.usedBytes < 36 * mebibyte);
		rmSync(filler);
		store.heal();
		await fileSystem.release(writer);
		await fileSystem.drain();
		t.is(await objectText(bucket, 'written'), 'a'.repeat(mebibyte));
	},
);
