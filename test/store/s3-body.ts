import test from 'ava';
import {startTestS3Store, throwsStoreError} from '../support/test-s3-store.ts';

test('get() of a whole object fails with corrupt when its bytes are not those that were stored', async t => {
	const {store, server} = await startTestS3Store(t);
	await store.put('file', Buffer.alloc(100_000, 'x'));
	const readAll = async (): Promise<number> => {
		let byteCount = 0;
		for await (const piece of (await store.get('file'))!.body) {
			// It was stored above.
			byteCount += piece.length;
		}

		return byteCount;
	};

	server.faults.corruptions = [{operation: 'GetObject', count: 1}];
	const error = await throwsStoreError(t, 'corrupt', readAll());
	t.regex(error.message, /^Cannot read "file": the bytes that came do not have the checksum/);
	t.is(await readAll(), 100_000);
});
