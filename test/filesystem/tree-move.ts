import {constants} from 'node:fs';
import test from 'ava';
import {errnoOf} from '../support/fs-under-test.ts';
import {closeHandle, eventually, objectKeys, objectText, openHandle, startNodes} from '../support/volume-nodes.ts';

test('a directory of more objects than a page and a batch have moves whole, and nothing of it stays', async t => {
	const {bucket, a} = await startNodes(t);
	const names = Array.from({length: 2001}, (_, index) => `file-${String(index).padStart(4, '0')}`);
	await Promise.all(names.map(async name => bucket.put(`old/${name}`, Buffer.from(name))));
	await a.fs.rename('old', 'new');
	const keys: string[] = [];
	for (const prefix of ['new/', 'old/']) {
		for (let token: string | undefined, isFirst = true; isFirst || token !== undefined; isFirst = false) {
			const page = await bucket.list({prefix, continuationToken: token});
			keys.push(...page.objects.map(({key}) => key));
			token = page.continuationToken;
		}
	}

	t.deepEqual(keys, ['new/', ...names.map(name => `new/${name}`)]);
	t.is(await objectText(bucket, 'new/file-2000'), 'file-2000');
});

test('what another S3 client puts into a directory while that is copied moves along, and stays nowhere else', async t => {
	const {bucket, a} = await startNodes(t);
	await bucket.put('old/', new Uint8Array());
	await bucket.put('old/one', Buffer.from('one'));
	const copy = a.store.inject({method: 'copy', key: 'new/one', isBlocked: true});
	const renamed = a.fs.rename('old', 'new');
	await copy.reached;
	await bucket.put('old/late', Buffer.from('late'));
	copy.remove();
	await renamed;
	t.deepEqual(await objectKeys(bucket), ['new/', 'new/late', 'new/one']);
	t.is(await objectText(bucket, 'new/late'), 'late');
});

test('a file that is open here and was deleted elsewhere has the new name when its directory is renamed', async t => {
	const {bucket, a, b} = await startNodes(t);
	await bucket.put('old/open', Buffer.from('content'));
	await bucket.put('old/other', Buffer.from('other'));
	const handle = await openHandle(a, 'old/open', constants.O_WRONLY | constants.O_APPEND);
	await b.fs.unlink('old/open');
	await a.fs.rename('old', 'new');
	await a.fileSystem.write(handle, Buffer.from('appended'), 0);
	t.is(await closeHandle(a, handle), undefined);
	t.is(await objectText(bucket, 'new/open'), 'appended');
	t.is(await objectText(bucket, 'old/open'), undefined);
});

test('when a copy fails, those that are on their way are waited for and undone, and so is the marker that was made', async t => {
	const {bucket, a} = await startNodes(t);
	for (const name of ['one', 'two', 'three']) {
		await bucket.put(`old/${name}`, Buffer.from(name));
	}

	const slow = a.store.inject({method: 'copy', key: 'new/one', isBlocked: true});
	const refused = a.store.inject({method: 'copy', key: 'new/two', error: 'accessDenied'});
	const renamed = errnoOf(a.fs.rename('old', 'new'));
	await Promise.all([slow.reached, refused.reached]);
	await eventually(t, 'the other copy is made', async () => (await bucket.head('new/three')) !== undefined);
	const turns = async (): Promise<void> => {
		for (let count = 0; count < 20; count++) {
			await new Promise(setImmediate);
		}
	};

	// For an undo that does not wait, and for a copy that is made after the rename has failed.
	await turns();
	slow.remove();
	t.is(await renamed, 'EACCES');
	await turns();
	t.deepEqual(await objectKeys(bucket), ['old/one', 'old/three', 'old/two']);
});
