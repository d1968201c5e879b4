import test, {type ExecutionContext} from 'ava';
import type {LookupPurpose, OpenFlags} from '../../src/filesystem/filesystem.ts';
import {errnoOf} from '../support/fs-under-test.ts';
import {readHandle, startNodes} from '../support/volume-nodes.ts';

const toRead: OpenFlags = {read: true, write: false, append: false, truncate: false, create: false, exclusive: false};
const toCreate: OpenFlags = {...toRead, read: false, write: true, create: true, truncate: true};
const opening = (flags: OpenFlags, threadId = 7): LookupPurpose => ({call: 'open', threadId, flags});

/** A node that has listed `d`, which has one small file. */
const setUp = async (t: ExecutionContext) => {
	const {a: node, bucket, passMs} = await startNodes(t);
	await bucket.put('d/', new Uint8Array());
	await bucket.put('d/file', Buffer.from('content'));
	t.deepEqual(await node.fs.readdir('d'), ['file']);
	node.store.calls.length = 0;
	return {
		node,
		bucket,
		passMs,
		getattr: async (path: string, purpose?: LookupPurpose) =>
			node.fileSystem.getattr({path}, {purpose: async () => purpose}),
		open: async (path: string, flags: OpenFlags) => (await node.fileSystem.open(path, flags)).handle,
		requests() {
			const calls = node.store.calls.map(({method}) => method);
			node.store.calls.length = 0;
			return calls;
		},
	};
};

test('a name that a listing does not have is asked for unless the call says that what is known is enough', async t => {
	const {getattr, requests} = await setUp(t);
	t.is(await errnoOf(getattr('d/none', {call: 'ask'})), 'ENOENT');
	t.is(await errnoOf(getattr('d/none', opening(toCreate))), 'ENOENT');
	t.deepEqual(requests(), []);
	for (const purpose of [undefined, opening(toRead)]) {
		t.is(await errnoOf(getattr('d/none', purpose)), 'ENOENT');
		t.deepEqual(requests().sort(), ['head', 'list']);
	}
});

test('an open of a file that was listed costs one request, which brings its content', async t => {
	const {node, getattr, open, requests} = await setUp(t);
	t.is((await getattr('d/file', opening(toRead))).sizeBytes, 7);
	const handle = await open('d/file', {...toRead, threadId: 7});
	t.is(await readHandle(node, handle), 'content');
	t.deepEqual(requests(), ['get']);
	await node.fileSystem.release(handle);
	await node.fileSystem.release(await open('d/file', {...toRead, threadId: 7}));
	t.deepEqual(requests(), ['head'], 'The next open asks again');
});

test('an open does not use what another thread, or a call of another kind, looked up', async t => {
	const {node, bucket, getattr, open} = await setUp(t);
	await getattr('d/file', opening(toRead, 8));
	await bucket.put('d/file', Buffer.from('newer'));
	t.is(await readHandle(node, await open('d/file', {...toRead, threadId: 7})), 'newer');
	await getattr('d/file', {call: 'ask'});
	await bucket.put('d/file', Buffer.from('newest'));
	t.is(await readHandle(node, await open('d/file', {...toRead, threadId: 7})), 'newest');
});

test('an open does not use what was looked up before a change of this node', async t => {
	const {node, getattr, open} = await setUp(t);
	await getattr('d/file', opening(toRead));
	await node.fs.unlink('d/file');
	t.is(await errnoOf(open('d/file', {...toRead, threadId: 7})), 'ENOENT');
});

test('an open finds what was made elsewhere since the listing, and asks once', async t => {
	const {node, bucket, getattr, open, requests} = await setUp(t);
	await bucket.put('d/new', Buffer.from('new'));
	await getattr('d/new', opening(toRead));
	const handle = await open('d/new', {...toRead, threadId: 7});
	t.deepEqual(requests().sort(), ['head', 'list']);
	t.is(await readHandle(node, handle), 'new');
});

test('a look-up that joins one that was sent before says nothing to an open', async t => {
	const {node, bucket, getattr, open, passMs} = await setUp(t);
	passMs(10_000);
	const fault = node.store.inject({method: 'head', key: 'd/file', isBlocked: true, when: 'after', countMax: 1});
	const first = getattr('d/file', {call: 'ask'});
	await fault.reached;
	const second = getattr('d/file', opening(toRead));
	await bucket.put('d/file', Buffer.from('newer'));
	fault.remove();
	await Promise.all([first, second]);
	t.is(await readHandle(node, await open('d/file', {...toRead, threadId: 7})), 'newer');
});

test('a file that became a directory since it was listed is one', async t => {
	const {bucket, getattr} = await setUp(t);
	await bucket.delete('d/file');
	await bucket.put('d/file/below', new Uint8Array());
	t.is((await getattr('d/file', opening(toRead))).kind, 'directory');
});
