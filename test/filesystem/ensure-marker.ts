import test from 'ava';
import {objectKeys, startNodes} from '../support/volume-nodes.ts';

test('a directory without a marker gets one before its last entry goes', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put('d/a', new Uint8Array());
	await a.fileSystem.unlink('d/a');
	t.deepEqual(await objectKeys(bucket), ['d/']);
	t.is((await a.fs.stat('d')).kind, 'directory');
});

test('a marker that is there is not made again, nor asked for at each deletion', async t => {
	const {bucket, a} = await startNodes(t);
	for (const key of ['d/', 'd/a', 'd/b', 'd/c']) {
		await bucket.put(key, new Uint8Array());
	}

	for (const path of ['d/a', 'd/b', 'd/c']) {
		await a.fileSystem.unlink(path);
	}

	t.is(a.store.callCount('put'), 0);
	t.is(a.store.calls.filter(({method, key}) => method === 'head' && key === 'd/').length, 1);
});

test('a marker that another node makes at the same moment is as good', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put('d/a', new Uint8Array());
	const fault = a.store.inject({method: 'put', key: 'd/', isBlocked: true});
	const unlink = a.fileSystem.unlink('d/a');
	await fault.reached;
	await bucket.put('d/', new Uint8Array());
	fault.remove();
	await unlink;
	t.deepEqual(await objectKeys(bucket), ['d/']);
});

test('a marker that another S3 client removed is made again, at the latest half a minute after it was seen', async t => {
	const {bucket, a, passMs} = await startNodes(t);
	for (const key of ['d/', 'd/a', 'd/b']) {
		await bucket.put(key, new Uint8Array());
	}

	await a.fileSystem.unlink('d/a');
	await bucket.delete('d/');
	passMs(30_000);
	await a.fileSystem.unlink('d/b');
	t.deepEqual(await objectKeys(bucket), ['d/']);
});
