/** Parts of a large file go to S3 while it is written. Here a file is large above 20 MiB, and a part has 5 MiB. */
import {constants} from 'node:fs';
import {readdir} from 'node:fs/promises';
import test, {type ExecutionContext} from 'ava';
import {createRandomSource, testSeed} from '../../support/random-source.ts';
import {
	closeHandle,
	eventually,
	openHandle,
	startNodes,
	type Nodes,
	type VolumeNode,
} from '../../support/volume-nodes.ts';

const {O_APPEND, O_CREAT, O_RDWR, O_TRUNC} = constants;
const mebibyte = 2 ** 20;
const settings = {options: {'part-size': '5MiB'}, summedBytesMax: 20 * mebibyte};

/** Bytes that tell where they belong, and by which pass they were written. */
const bytesOf = (index: number, pass = 1): Buffer => Buffer.alloc(mebibyte, `${pass}: ${index}, `);

/** Writes whole mebibytes, the first at this index. */
const write = async (
	{fileSystem}: VolumeNode,
	handle: number,
	{from = 0, count, pass = 1}: {from?: number; count: number; pass?: number},
): Promise<void> => {
	for (let index = from; index < from + count; index++) {
		await fileSystem.write(handle, bytesOf(index, pass), index * mebibyte);
	}
};

const contentOf = async ({bucket}: Nodes, key = 'file'): Promise<Buffer> => {
	const pieces: Uint8Array[] = [];
	for await (const piece of (await bucket.get(key))!.body) {
		pieces.push(Buffer.from(piece)); // The test has put it there.
	}

	return Buffer.concat(pieces);
};

/** Whether the object has these mebibytes: the pass by which each was written. */
const assertContent = async (t: ExecutionContext, nodes: Nodes, passes: readonly number[]): Promise<void> => {
	const content = await contentOf(nodes);
	t.is(content.length, passes.length * mebibyte);
	for (const [index, pass] of passes.entries()) {
		if (!content.subarray(index * mebibyte, (index + 1) * mebibyte).equals(bytesOf(index, pass))) {
			t.fail(`MiB ${index} is not as pass ${pass} has written it`);
		}
	}
};

const passes = (count: number, pass = 1): number[] => Array.from({length: count}, () => pass);

const untilSent = async (t: ExecutionContext, {store}: VolumeNode, count: number): Promise<void> =>
	eventually(t, `${count} parts are sent`, () => store.callCount('uploadPart') >= count);

/** A file of 33 MiB whose first six parts are in S3, and which is still open. */
const begin = async (t: ExecutionContext, nodes: Nodes, flags = 0): Promise<number> => {
	const handle = await openHandle(nodes.a, 'file', O_CREAT | O_RDWR | flags);
	await write(nodes.a, handle, {count: 33});
	await untilSent(t, nodes.a, 6);
	return handle;
};

const writeCalls = ({store}: VolumeNode) =>
	store.calls
		.map(({method}) => method)
		.filter(method => /put|copy|upload/i.test(method))
		.reduce<Record<string, number>>((counts, method) => ({...counts, [method]: (counts[method] ?? 0) + 1}), {});

test('all parts but the last are sent before close(), which sends that and completes', async t => {
	const nodes = await startNodes(t, settings);
	const handle = await begin(t, nodes);
	t.is(await nodes.bucket.head('file'), undefined);
	const before = writeCalls(nodes.a);
	t.deepEqual(before, {createMultipartUpload: 1, uploadPart: 6});
	t.is(await closeHandle(nodes.a, handle), undefined);
	t.deepEqual(writeCalls(nodes.a), {createMultipartUpload: 1, uploadPart: 7, completeMultipartUpload: 1});
	await assertContent(t, nodes, passes(33));
	t.deepEqual(await readdir(nodes.a.stagingDirectory), []);
});

test('a file that is not large, or not written from its start on, goes up when it is closed', async t => {
	const nodes = await startNodes(t, settings);
	const small = await openHandle(nodes.a, 'small', O_CREAT | O_RDWR);
	await write(nodes.a, small, {count: 20});
	const holed = await openHandle(nodes.a, 'holed', O_CREAT | O_RDWR);
	await write(nodes.a, holed, {from: 1, count: 30});
	t.deepEqual(writeCalls(nodes.a), {});
	await closeHandle(nodes.a, small);
	await closeHandle(nodes.a, holed);
	t.is((await contentOf(nodes, 'holed')).length, 31 * mebibyte);
	t.is(nodes.bucket.openUploadCount, 0);
});

test('bytes that are changed after their part was sent are sent again, under its number', async t => {
	const nodes = await startNodes(t, settings);
	const handle = await begin(t, nodes);
	await write(nodes.a, handle, {from: 7, count: 1, pass: 2});
	t.is(await closeHandle(nodes.a, handle), undefined);
	t.deepEqual(writeCalls(nodes.a), {createMultipartUpload: 1, uploadPart: 8, completeMultipartUpload: 1});
	await assertContent(t, nodes, passes(33).with(7, 2));
});

test('bytes that are changed while their part is on its way are sent again', async t => {
	const nodes = await startNodes(t, settings);
	const held = nodes.a.store.inject({method: 'uploadPart', when: 'after', isBlocked: true, countMax: 1});
	const handle = await openHandle(nodes.a, 'file', O_CREAT | O_RDWR);
	await write(nodes.a, handle, {count: 33});
	await held.reached;
	await write(nodes.a, handle, {from: 2, count: 1, pass: 2});
	held.release();
	t.is(await closeHandle(nodes.a, handle), undefined);
	await assertContent(t, nodes, passes(33).with(2, 2));
});

test('a file that is cut while it goes up has the bytes that it had at close()', async t => {
	const nodes = await startNodes(t, settings);
	const handle = await begin(t, nodes);
	await nodes.a.fileSystem.truncate({handle}, 23 * mebibyte);
	await nodes.a.fileSystem.truncate({handle}, 26 * mebibyte);
	await write(nodes.a, handle, {from: 23, count: 3, pass: 2});
	t.is(await closeHandle(nodes.a, handle), undefined);
	await assertContent(t, nodes, [...passes(23), ...passes(3, 2)]);
	t.is(writeCalls(nodes.a)['createMultipartUpload'], 1);
	t.is(nodes.bucket.openUploadCount, 0);
});

test('a file that is cut until it is not large has the checksums of its blocks', async t => {
	const nodes = await startNodes(t, settings);
	const handle = await begin(t, nodes);
	await nodes.a.fileSystem.truncate({handle}, 6 * mebibyte);
	t.is(await closeHandle(nodes.a, handle), undefined);
	await assertContent(t, nodes, passes(6));
	t.truthy((await nodes.bucket.head('file'))?.blockSums);
	await eventually(t, 'no upload is left', () => nodes.bucket.openUploadCount === 0);
});

test('a file that is written here and there after all goes up when it is closed', async t => {
	const nodes = await startNodes(t, {...settings, options: {'part-size': '5MiB'}});
	const handle = await openHandle(nodes.a, 'file', O_CREAT | O_RDWR);
	await write(nodes.a, handle, {count: 100});
	await untilSent(t, nodes.a, 20);
	for (let index = 0; index < 90; index += 5) {
		await write(nodes.a, handle, {from: index, count: 1, pass: 2});
	}

	await eventually(t, 'the upload is aborted', () => nodes.bucket.openUploadCount === 0);
	t.is(await closeHandle(nodes.a, handle), undefined);
	await assertContent(
		t,
		nodes,
		passes(100).map((pass, index) => (index % 5 === 0 && index < 90 ? 2 : pass)),
	);
});

test('a mode or a time that is set while the file goes up is that of the object', async t => {
	const nodes = await startNodes(t, settings);
	const handle = await begin(t, nodes);
	await nodes.a.fileSystem.chmod({handle}, 0o600);
	await eventually(t, 'the upload is aborted', () => nodes.bucket.openUploadCount === 0);
	await write(nodes.a, handle, {from: 33, count: 1});
	await nodes.a.fileSystem.utimens({handle}, {atime: 1n, mtime: 5n});
	t.is(await closeHandle(nodes.a, handle), undefined);
	await assertContent(t, nodes, passes(34));
	t.like((await nodes.bucket.head('file'))?.metadata, {'file-permissions': '0100600', 'file-mtime': '5ns'});
});

test('after a program that sets the attributes of its files the next few large files go up at their close', async t => {
	const nodes = await startNodes(t, settings);
	const handle = await begin(t, nodes);
	await nodes.a.fileSystem.chmod({handle}, 0o600);
	await closeHandle(nodes.a, handle);
	const created: number[] = [];
	for (let index = 0; index < 5; index++) {
		const before = nodes.a.store.callCount('createMultipartUpload');
		const next = await openHandle(nodes.a, `file ${index}`, O_CREAT | O_RDWR);
		await write(nodes.a, next, {count: 25});
		created.push(nodes.a.store.callCount('createMultipartUpload') - before);
		await closeHandle(nodes.a, next);
	}

	t.deepEqual(created, [0, 0, 0, 0, 1]);
});

test('when another node changes the file meanwhile, the close wins and no part is sent twice', async t => {
	const nodes = await startNodes(t, {...settings, isVersioned: false});
	await nodes.bucket.put('file', Buffer.from('old'));
	const handle = await begin(t, nodes, O_TRUNC);
	await nodes.bucket.put('file', Buffer.from('from elsewhere'));
	t.is(await closeHandle(nodes.a, handle), undefined);
	t.deepEqual(writeCalls(nodes.a), {createMultipartUpload: 1, uploadPart: 7, completeMultipartUpload: 2});
	t.deepEqual(
		nodes.a.events.map(({event}) => event),
		['conflict'],
	);
	await assertContent(t, nodes, passes(33));
});

test('what is appended to a new file goes behind what another node makes of that name meanwhile', async t => {
	const nodes = await startNodes(t, settings);
	const handle = await begin(t, nodes, O_APPEND);
	await nodes.bucket.put('file', Buffer.from('from elsewhere'));
	t.is(await closeHandle(nodes.a, handle), undefined);
	const content = await contentOf(nodes);
	t.is(content.subarray(0, 14).toString(), 'from elsewhere');
	t.is(content.length, 14 + 33 * mebibyte);
	t.true(content.subarray(14, 14 + mebibyte).equals(bytesOf(0)));
	await eventually(t, 'no upload is left', () => nodes.bucket.openUploadCount === 0);
});

test('an append to an empty file of another node keeps the ids of its writes', async t => {
	const nodes = await startNodes(t, settings);
	const handle = await begin(t, nodes, O_APPEND);
	await nodes.bucket.put('file', Buffer.from(''), {writeId: 'other'});
	t.is(await closeHandle(nodes.a, handle), undefined);
	await assertContent(t, nodes, passes(33));
	t.is((await nodes.bucket.head('file'))?.writeIds?.[1], 'other');
	await eventually(t, 'no upload is left', () => nodes.bucket.openUploadCount === 0);
});

test('a file that is unlinked while it goes up leaves nothing in S3', async t => {
	const nodes = await startNodes(t, settings);
	const handle = await begin(t, nodes);
	await nodes.a.fileSystem.unlink('file');
	await write(nodes.a, handle, {from: 33, count: 10});
	await eventually(t, 'the upload is aborted', () => nodes.bucket.openUploadCount === 0);
	const buffer = Buffer.alloc(mebibyte);
	t.is(await nodes.a.fileSystem.read(handle, buffer, 3 * mebibyte), mebibyte);
	t.true(buffer.equals(bytesOf(3)));
	await closeHandle(nodes.a, handle);
	t.is(await nodes.bucket.head('file'), undefined);
	t.deepEqual(await readdir(nodes.a.stagingDirectory), []);
});

test('a file that is renamed while it goes up is under its new name, whole', async t => {
	const nodes = await startNodes(t, settings);
	const handle = await begin(t, nodes);
	await nodes.a.fileSystem.rename('file', 'renamed');
	await write(nodes.a, handle, {from: 33, count: 2});
	t.is(await closeHandle(nodes.a, handle), undefined);
	t.is(await nodes.bucket.head('file'), undefined);
	t.is((await contentOf(nodes, 'renamed')).length, 35 * mebibyte);
	await eventually(t, 'no upload is left', () => nodes.bucket.openUploadCount === 0);
});

test('fsync() completes what has begun, and what is written after it makes another version', async t => {
	const nodes = await startNodes(t, settings);
	const handle = await begin(t, nodes);
	await nodes.a.fileSystem.fsync(handle);
	await assertContent(t, nodes, passes(33));
	await write(nodes.a, handle, {from: 33, count: 1});
	t.is(await closeHandle(nodes.a, handle), undefined);
	await assertContent(t, nodes, passes(34));
	t.is(nodes.bucket.openUploadCount, 0);
});

test('when S3 refuses a part, the file goes up at its close', async t => {
	const nodes = await startNodes(t, settings);
	const fault = nodes.a.store.inject({method: 'uploadPart', skipCount: 2, countMax: 1, error: 'unavailable'});
	const handle = await openHandle(nodes.a, 'file', O_CREAT | O_RDWR);
	await write(nodes.a, handle, {count: 33});
	await fault.reached;
	await eventually(t, 'the upload is aborted', () => nodes.bucket.openUploadCount === 0);
	t.is(await closeHandle(nodes.a, handle), undefined);
	await assertContent(t, nodes, passes(33));
});

test('when S3 has forgotten the upload, the file is uploaded anew', async t => {
	const nodes = await startNodes(t, settings);
	const handle = await begin(t, nodes);
	await nodes.bucket.abortMultipartUpload({key: 'file', uploadId: 'upload-1'});
	t.is(await closeHandle(nodes.a, handle), undefined);
	await assertContent(t, nodes, passes(33));
	t.is(nodes.bucket.openUploadCount, 0);
});

test('an upload that cannot be aborted is aborted once another is', async t => {
	const nodes = await startNodes(t, settings);
	const fault = nodes.a.store.inject({method: 'abortMultipartUpload', countMax: 1, error: 'unavailable'});
	const handle = await begin(t, nodes);
	await nodes.a.fileSystem.unlink('file');
	await fault.reached;
	await closeHandle(nodes.a, handle);
	t.is(nodes.bucket.openUploadCount, 1);
	const next = await begin(t, nodes);
	await nodes.a.fileSystem.unlink('file');
	await closeHandle(nodes.a, next);
	await eventually(t, 'both are aborted', () => nodes.bucket.openUploadCount === 0);
});

test('with `durability: journal` changes that follow an fsync() are not merged into what goes up', async t => {
	const nodes = await startNodes(t, {...settings, options: {...settings.options, durability: 'journal'}});
	const handle = await begin(t, nodes);
	const held = nodes.a.store.inject({method: 'completeMultipartUpload', isBlocked: true, countMax: 1});
	await nodes.a.fileSystem.fsync(handle);
	for (const pass of [2, 3]) {
		await write(nodes.a, handle, {from: 4, count: 1, pass});
		await nodes.a.fileSystem.fsync(handle);
	}

	held.release();
	t.is(await closeHandle(nodes.a, handle), undefined);
	await nodes.a.fileSystem.drain();
	await assertContent(t, nodes, passes(33).with(4, 3));
	t.is(nodes.bucket.openUploadCount, 0);
});

test('whatever programs and S3 do while a file goes up, S3 has what was written', async t => {
	const seed = testSeed();
	t.log(`PNX_VOLUME_TEST_SEED=${seed}`);
	for (const durability of ['close', 'journal']) {
		const random = createRandomSource(seed);
		const nodes = await startNodes(t, {...settings, options: {...settings.options, durability}});
		let expected: number[] = [];
		let handle = await openHandle(nodes.a, 'file', O_CREAT | O_RDWR);
		for (let pass = 1; pass <= 60; pass++) {
			switch (random.below(10)) {
				case 0: {
					await nodes.a.fileSystem.fsync(handle).catch(() => undefined);
					break;
				}

				case 1: {
					const from = random.below(expected.length + 1);
					const count = Math.min(1 + random.below(6), expected.length - from);
					await write(nodes.a, handle, {from, count, pass});
					expected.fill(pass, from, from + count);
					break;
				}

				case 2: {
					const count = random.below(3) === 0 ? 0 : Math.max(0, expected.length - random.below(8));
					await nodes.a.fileSystem.truncate({handle}, count * mebibyte);
					expected.length = count;
					break;
				}

				case 3: {
					await nodes.a.fileSystem.chmod({handle}, 0o600 + random.below(64));
					break;
				}

				case 4: {
					const method = random.pick(['uploadPart', 'completeMultipartUpload', 'createMultipartUpload'] as const);
					// Of an upload whose id never came nobody knows.
					const when = method === 'createMultipartUpload' || random.chance(0.5) ? 'before' : 'after';
					nodes.a.store.inject({method, when, error: 'unavailable', countMax: 1});
					break;
				}

				case 5: {
					await nodes.a.fileSystem.flush(handle).catch(() => undefined);
					await nodes.a.fileSystem.release(handle);
					if (random.below(2) === 0) {
						expected = [];
						handle = await openHandle(nodes.a, 'file', O_CREAT | O_RDWR | O_TRUNC);
					} else {
						handle = await openHandle(nodes.a, 'file', O_CREAT | O_RDWR);
					}

					break;
				}

				default: {
					const count = expected.length > 60 ? 0 : 1 + random.below(16);
					await write(nodes.a, handle, {from: expected.length, count, pass});
					expected.push(...Array.from({length: count}, () => pass));
				}
			}
		}

		nodes.a.store.heal();
		await closeHandle(nodes.a, handle);
		await nodes.a.fileSystem.drain();
		await assertContent(t, nodes, expected);
		await eventually(t, 'no upload is left', () => nodes.bucket.openUploadCount === 0);
	}
});
