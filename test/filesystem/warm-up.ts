import test, {type ExecutionContext} from 'ava';
import {DiskBlockCache} from '../../src/cache/disk-block-cache.ts';
import {readText} from '../support/fs-text.ts';
import {createStagingDirectory, startNodes} from '../support/volume-nodes.ts';

const mebibyte = 2 ** 20;

const setUp = async (t: ExecutionContext, options: Readonly<Record<string, string>> = {}) => {
	const blockCache = await DiskBlockCache.open({
		directory: await createStagingDirectory(t),
		bytesMax: 64 * mebibyte,
		readSpace: async () => ({freeBytes: 2 ** 40, totalBytes: 2 ** 41}),
	});
	const nodes = await startNodes(t);
	for (const [key, sizeBytes] of [
		['dir/', 0],
		['dir/large', 19.5 * mebibyte],
		['dir/none', 0],
		['dir/small', 100],
		['dir/sub/small', 200],
		['directory/small', 300],
		['other', 400],
	] as const) {
		await nodes.bucket.put(key, Buffer.alloc(sizeBytes, key));
	}

	const node = await nodes.start({blockCache, options: {'metadata-ttl': '1h', ...options}});
	const gets = node.store.inject({method: 'get'});
	return {...nodes, ...node, gets};
};

test('warmUp() brings all files below a directory onto the disk, from where they are read then', async t => {
	const {fileSystem, fs, gets} = await setUp(t);
	const progress: number[] = [];
	t.deepEqual(await fileSystem.warmUp('dir', {isMetadataOnly: false, onProgress: ({files}) => progress.push(files)}), {
		files: 4,
		bytes: 19.5 * mebibyte + 300,
		skippedFiles: 0,
		failedFiles: 0,
		lastFailure: undefined,
	});
	t.is(Math.max(...progress), 4);
	const before = gets.hitCount;
	t.true(before >= 5);
	t.is((await readText(fs, 'dir/large')).length, 19.5 * mebibyte);
	t.is((await readText(fs, 'dir/sub/small')).length, 200);
	t.is(gets.hitCount, before);
	await fileSystem.warmUp('dir', {isMetadataOnly: false});
	t.is(gets.hitCount, before, 'What is there is not read again');
	t.is((await readText(fs, 'directory/small')).length, 300);
	t.is(gets.hitCount, before + 1);
});

test('warmUp() takes what is no directory for the beginning of names, and the root for everything', async t => {
	const {fileSystem} = await setUp(t);
	t.like(await fileSystem.warmUp('direct', {isMetadataOnly: false}), {files: 1, bytes: 300});
	t.like(await fileSystem.warmUp('dir/s', {isMetadataOnly: false}), {files: 2, bytes: 300});
	t.like(await fileSystem.warmUp('', {isMetadataOnly: false}), {files: 6});
	await t.throwsAsync(fileSystem.warmUp('absent', {isMetadataOnly: false}), {
		message: /Nothing in the volume is called absent/,
	});
});

test('warmUp() of attributes reads no content, and no attributes are asked for afterwards', async t => {
	const {fileSystem, fs, store, gets} = await setUp(t);
	t.like(await fileSystem.warmUp('dir', {isMetadataOnly: true}), {files: 4, bytes: 0});
	t.is(gets.hitCount, 0);
	const before = store.callCount('head');
	await fs.stat('dir/large');
	await fs.stat('dir/sub/small');
	t.is(store.callCount('head'), before);
});

test('warmUp() leaves out what the disk cache has no room for', async t => {
	const {fileSystem} = await setUp(t, {'cache-size': '4MiB'});
	t.like(await fileSystem.warmUp('dir', {isMetadataOnly: false}), {files: 3, bytes: 300, skippedFiles: 1});
	const none = await setUp(t, {'cache-size': '0'});
	await t.throwsAsync(none.fileSystem.warmUp('dir', {isMetadataOnly: false}), {message: /has no disk cache/});
	t.like(await none.fileSystem.warmUp('dir', {isMetadataOnly: true}), {files: 4});
});

test('warmUp() goes on where one file fails, and ends where S3 is away or nobody waits', async t => {
	const {fileSystem, store} = await setUp(t);
	const refused = store.inject({method: ['get', 'head'], key: 'dir/small', error: 'accessDenied'});
	t.like(await fileSystem.warmUp('dir', {isMetadataOnly: false}), {files: 3, failedFiles: 1});
	refused.remove();
	store.inject({method: ['get', 'head'], key: 'directory/small', error: 'unavailable'});
	await t.throwsAsync(fileSystem.warmUp('directory', {isMetadataOnly: false}), {code: 'unavailable'});
	await t.throwsAsync(fileSystem.warmUp('other', {isMetadataOnly: false, signal: AbortSignal.abort()}));
});
