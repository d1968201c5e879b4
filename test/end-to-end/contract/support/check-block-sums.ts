import {randomBytes} from 'node:crypto';
import type {ExecutionContext} from 'ava';
import {formatBlockSums, sumBody} from '../../../../src/store/block-sums.ts';
import type {ObjectStore} from '../../../../src/store/object-store.ts';

/** The checksums of pieces come with each answer, also of copies and of uploads in parts. */
export const checkBlockSums = async (t: ExecutionContext, store: ObjectStore): Promise<void> => {
	const body = randomBytes(5 * 2 ** 20 + 10);
	const sums = sumBody(body)!; // It has bytes.
	const metadata = {'file-mtime': '1700000000123456789ns'};
	const {blockSums} = await store.put('put', body, {metadata, writeId: 'id'});
	t.is(blockSums, formatBlockSums(sums));
	await store.copy({key: 'put'}, 'copy');
	await store.copy({key: 'put'}, 'changed', {replace: {metadata: {'file-owner': '7'}, blockSums}});
	for (const key of ['put', 'copy', 'changed']) {
		t.is((await store.head(key))?.blockSums, blockSums, key);
	}

	const ofParts = formatBlockSums({...sums, partCount: 2});
	const upload = await store.createMultipartUpload('parts', {metadata, blockSums: ofParts});
	const parts = [
		await store.uploadPart(upload, 1, body.subarray(0, 5 * 2 ** 20)),
		await store.uploadPart(upload, 2, body.subarray(5 * 2 ** 20)),
	];
	await store.completeMultipartUpload(upload, parts);
	const result = await store.get('parts', {range: {start: 2 ** 20, end: 2 ** 21}});
	t.is(result?.object.blockSums, ofParts);
	await result?.body[Symbol.asyncIterator]().return?.();
	await store.copy({key: 'parts'}, 'copy of parts');
	t.is((await store.head('copy of parts'))?.blockSums, ofParts);
};
