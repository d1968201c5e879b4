import {setImmediate} from 'node:timers/promises';
import test from 'ava';
import type {ObjectStore} from '../../src/store/object-store.ts';
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

/** The count of the bytes of an object, taken by `pump`. */
const pumpAll = async (store: ObjectStore, {signal}: {signal?: AbortSignal} = {}): Promise<number> => {
	const {body} = (await store.get('file', {signal}))!; // It was stored.
	let byteCount = 0;
	await body.pump!(piece => {
		byteCount += piece.length;
	});
	return byteCount;
};

test('pump() gives all bytes of a body, and compares them with the checksum of the server', async t => {
	const {store, server} = await startTestS3Store(t);
	for (const sizeBytes of [0, 1, 3_000_000]) {
		await store.put('file', Buffer.alloc(sizeBytes, 'x'));
		t.is(await pumpAll(store), sizeBytes);
	}

	server.faults.corruptions = [{operation: 'GetObject', count: 1}];
	await throwsStoreError(t, 'corrupt', pumpAll(store));
	t.is(await pumpAll(store), 3_000_000);
});

test('pump() fails where the connection breaks, where the signal ends it, and with what its reader throws', async t => {
	const {store, server} = await startTestS3Store(t);
	await store.put('file', Buffer.alloc(3_000_000, 'x'));
	server.faults.drops = [{operation: 'GetObject', when: 'body', count: 1}];
	await throwsStoreError(t, 'unavailable', pumpAll(store));

	const {body} = (await store.get('file'))!; // It was stored above.
	const reason = new Error('The disk is full');
	t.is(
		await t.throwsAsync(
			body.pump!(() => {
				throw reason;
			}),
		),
		reason,
	);

	const aborter = new AbortController();
	server.faults.stalls = [{operation: 'GetObject', when: 'body', count: 1}];
	const {body: stalled} = (await store.get('file', {signal: aborter.signal}))!; // It was stored above.
	await throwsStoreError(
		t,
		'aborted',
		stalled.pump!(() => aborter.abort()),
	);
	t.is(await pumpAll(store), 3_000_000);
});

test('pump() fails where no byte comes for too long, and after the body has broken already', async t => {
	const {store, server} = await startTestS3Store(t, {timeoutMs: 10_000});
	await store.put('file', Buffer.alloc(3_000_000, 'x'));
	server.faults.stalls = [{operation: 'GetObject', when: 'body', count: 1}];
	await throwsStoreError(t, 'timeout', pumpAll(store));

	const aborter = new AbortController();
	const {body} = (await store.get('file', {signal: aborter.signal}))!; // It was stored above.
	aborter.abort();
	await setImmediate();
	await throwsStoreError(
		t,
		'aborted',
		body.pump!(() => undefined),
	);
});
