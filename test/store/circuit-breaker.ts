import test, {type ExecutionContext} from 'ava';
import {isStoreError} from '../../src/model/store-error.ts';
import type {ObjectStore} from '../../src/store/object-store.ts';
import {startTestS3Store, throwsStoreError} from '../support/test-s3-store.ts';
import {eventually} from '../support/volume-nodes.ts';

/** One call that uses up its whole time without an answer. */
const startAway = async (t: ExecutionContext) => {
	const started = await startTestS3Store(t, {timeoutMs: 5000});
	const {store, server} = started;
	await store.put('file', Buffer.from('content'));
	server.faults.stalls = [{when: 'before'}];
	await throwsStoreError(t, 'timeout', store.head('file'));
	server.requests.clear();
	return started;
};

const isAnswered = async (store: ObjectStore): Promise<boolean> => {
	try {
		return (await store.head('file')) !== undefined;
	} catch (error) {
		if (isStoreError(error)) {
			return false;
		}

		throw error;
	}
};

test('once a call got no answer in all its time, further calls send nothing but one short probe that they share', async t => {
	const {store, server} = await startAway(t);
	for (let round = 1; round <= 3; round++) {
		server.requests.clear();
		const calls = Array.from({length: 20}, async (_, index) => store.put(`file-${index}`, Buffer.from('x')));
		for (const call of calls) {
			const error = await throwsStoreError(t, 'timeout', call);
			t.regex(
				error.message,
				/^Cannot write "file-\d+": S3 has been away since \d{4}-[^ ]+Z: Cannot look up "file" in /,
			);
		}

		t.is(server.requests.count({operation: 'PutObject'}), 0);
		t.is(server.requests.count({operation: 'HeadObject'}), 0);
		t.true(
			server.requests.count({operation: 'HeadBucket'}) <= 2,
			'The one of the calls, and the one in the background',
		);
	}
});

test('a call finds out that S3 is back', async t => {
	const {store, server} = await startAway(t);
	server.faults.stalls = [];
	await eventually(t, 'S3 answers', async () => isAnswered(store));
	server.requests.clear();
	t.truthy(await store.head('file'));
	t.is(server.requests.count(), 1, 'No probe any more');
});

test('without any call, a probe in the background finds out that S3 is back', async t => {
	const {server} = await startAway(t);
	server.faults.stalls = [];
	await eventually(t, 'it is asked', () => server.requests.count({operation: 'HeadBucket'}) > 0);
});

test('any answer says that S3 is not away, be it a refusal', async t => {
	const {store, server} = await startAway(t);
	server.faults.stalls = [];
	server.faults.errors = [{operation: 'HeadBucket', status: 403, code: 'AccessDenied'}];
	await eventually(t, 'S3 answers', async () => isAnswered(store));
});

test('S3 is not away while it answers other calls', async t => {
	const {store, server} = await startTestS3Store(t, {timeoutMs: 5000});
	await store.put('file', Buffer.from('content'));
	server.faults.stalls = [{operation: 'PutObject', when: 'before'}];
	let isOver = false;
	const putting = throwsStoreError(t, 'timeout', store.put('file', Buffer.from('x'))).finally(() => {
		isOver = true;
	});
	while (!isOver) {
		t.truthy(await store.head('file'));
	}

	await putting;
	t.truthy(await store.head('file'));
	t.is(server.requests.count({operation: 'HeadBucket'}), 0);
});
