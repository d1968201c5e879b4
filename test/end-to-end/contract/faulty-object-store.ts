import test from 'ava';
import {createFaultyObjectStore} from '../../store/doubles/faulty-object-store.ts';
import {createMemoryObjectStore} from '../../store/doubles/memory-object-store.ts';
import {throwsStoreError} from '../../support/test-s3-store.ts';

const createStore = () => createFaultyObjectStore(createMemoryObjectStore());
const bytes = (text: string): Uint8Array => Buffer.from(text);

test('a fault hits the calls of its method and key, after those to skip, as often as told', async t => {
	const store = createStore();
	const fault = store.inject({
		method: 'put',
		key: key => key.startsWith('a'),
		skipCount: 1,
		countMax: 2,
		error: 'throttled',
	});
	await store.put('a1', bytes('x'));
	await throwsStoreError(t, 'throttled', store.put('a2', bytes('x')));
	await store.put('b', bytes('x'));
	t.truthy(await store.head('a1'));
	await throwsStoreError(t, 'throttled', store.put('a3', bytes('x')));
	await store.put('a4', bytes('x'));
	t.is(fault.hitCount, 2);
	t.deepEqual(
		store.calls.map(({method, key}) => `${method} ${key}`),
		['put a1', 'put a2', 'put b', 'head a1', 'put a3', 'put a4'],
	);
	t.is(store.callCount('put'), 5);
});

test('a fault after the call leaves its effect in place', async t => {
	const store = createStore();
	store.inject({method: 'put', error: 'unavailable', when: 'after'});
	await throwsStoreError(t, 'unavailable', store.put('file', bytes('x')));
	t.is((await store.head('file'))?.sizeBytes, 1);
});

test('a blocked call waits until it is released, or its signal ends it', async t => {
	const store = createStore();
	const fault = store.inject({method: 'put', isBlocked: true});
	const controller = new AbortController();
	const aborted = store.put('one', bytes('x'), {signal: controller.signal});
	const released = store.put('two', bytes('x'));
	await fault.reached;
	t.is(await store.head('two'), undefined);
	controller.abort();
	await throwsStoreError(t, 'aborted', aborted);
	fault.release();
	await released;
	t.is(await store.head('one'), undefined);
	t.truthy(await store.head('two'));
});

test('heal() ends all faults and releases what they block', async t => {
	const store = createStore();
	const fault = store.inject({isBlocked: true});
	store.inject({method: 'head', error: 'timeout'});
	const waiting = store.put('file', bytes('x'));
	await fault.reached;
	store.heal();
	await waiting;
	t.truthy(await store.head('file'));
});

test('a body breaks after the bytes that a fault lets through', async t => {
	const store = createStore();
	await store.put('file', bytes('0123456789'));
	store.inject({method: 'get', bodyBytesMax: 5});
	const answer = await store.get('file');
	let text = '';
	await throwsStoreError(
		t,
		'unavailable',
		(async () => {
			for await (const piece of answer!.body) {
				// It was stored above.
				text += Buffer.from(piece).toString();
			}
		})(),
	);
	t.is(text, '01234');
});
