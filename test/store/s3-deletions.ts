import {ListObjectVersionsCommand, PutBucketVersioningCommand} from '@aws-sdk/client-s3';
import test from 'ava';
import {isStoreError} from '../../src/model/store-error.ts';
import {createTestClient} from '../support/dev-server.ts';
import {marksOf} from '../../src/store/version-marks.ts';
import {eventually} from '../support/volume-nodes.ts';
import {startTestS3Store, throwsStoreError} from '../support/test-s3-store.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

test('a server is asked once whether it knows conditions of deletions, for each of the two calls', async t => {
	const {store, server} = await startTestS3Store(t);
	const {etag} = await store.put('file', bytes('x'));
	await Promise.all([1, 2, 3].map(async () => store.delete('file', {ifMatch: etag})));
	await store.deleteMany([{key: 'file', etag}]);
	await store.deleteMany([{key: 'file', etag}]);
	t.is(server.requests.count({operation: 'DeleteObject'}), 4);
	t.is(server.requests.count({operation: 'DeleteObjects'}), 3);
	t.is(server.requests.count({operation: 'HeadObject'}), 0);
});

for (const isVersioned of [false, true]) {
	test(`on a server that ignores them objects are looked up just before, and the question leaves nothing, versions: ${isVersioned}`, async t => {
		const {store, server, bucket} = await startTestS3Store(t);
		const client = createTestClient(t, server);
		if (isVersioned) {
			await client.send(new PutBucketVersioningCommand({Bucket: bucket, VersioningConfiguration: {Status: 'Enabled'}}));
		}

		server.faults.ignoredConditions = ['DeleteObject', 'DeleteObjects'];
		const old = await store.put('file', bytes('old'));
		const {etag} = await store.put('file', bytes('new'));
		await throwsStoreError(t, 'preconditionFailed', store.delete('file', {ifMatch: old.etag}));
		const other = await store.put('other', bytes('x'));
		const failed = await store.deleteMany([
			{key: 'file', etag: old.etag},
			{key: 'other', etag: other.etag},
			{key: 'absent', etag: other.etag},
		]);
		t.deepEqual(
			failed.map(({key, error}) => [key, isStoreError(error, 'preconditionFailed')]),
			[['file', true]],
		);
		t.is(await store.head('other'), undefined);
		await store.delete('file', {ifMatch: etag});
		t.is(await store.head('file'), undefined);
		const {DeleteMarkers = []} = await client.send(new ListObjectVersionsCommand({Bucket: bucket}));
		t.deepEqual(
			DeleteMarkers.map(({Key}) => Key),
			isVersioned ? ['file', 'other'] : [],
		);
	});
}

for (const ignoredConditions of [[], ['DeleteObject', 'DeleteObjects']]) {
	for (const operation of ['DeleteObject', 'DeleteObjects'] as const) {
		test(`${operation}: what was made anew with equal bytes while an answer was lost stays, conditions ignored: ${ignoredConditions.length > 0}`, async t => {
			const {store, server} = await startTestS3Store(t);
			server.faults.ignoredConditions = ignoredConditions;
			const write = async () => store.put('file', bytes('same'), {ifNoneMatch: '*'});
			const remove = async (): Promise<void> => {
				const head = await store.head('file');
				const {etag} = head!; // It was just written.
				const marks = marksOf(head!);
				await (operation === 'DeleteObject'
					? store.delete('file', {ifMatch: etag, marks})
					: store.deleteMany([{key: 'file', etag, marks}]).then(failed => t.deepEqual(failed, [])));
			};

			// The first one asks the server whether it knows conditions.
			await write();
			await remove();
			await write();
			server.requests.clear();
			server.faults.holds = [{operation, count: 1}];
			server.faults.drops = [{operation, when: 'after', count: 1}];
			const removing = remove();
			await eventually(t, 'the deletion is held', () => server.requests.count({operation}) === 1);
			server.requests.clear();
			server.faults.holds = ['HeadObject', 'DeleteObject', 'DeleteObjects'].map(held => ({operation: held}));
			await eventually(t, 'what comes then is held', () => server.requests.count() === 1);
			const {etag} = await write();
			server.faults.holds = [];
			await removing;
			t.is((await store.head('file'))?.etag, etag);

			// When nothing was made, or the deletion was not carried out, it is simply done.
			for (const when of ['before', 'after'] as const) {
				server.faults.drops = [{operation, when, count: 1}];
				await remove();
				t.is(await store.head('file'), undefined, when);
				await write();
			}
		});
	}
}

test('a batch of 1,000 keys is deleted whole', async t => {
	const {store, server} = await startTestS3Store(t);
	const keys = Array.from({length: 1000}, (_, index) => `file-${index}`);
	const written = await Promise.all(keys.map(async key => store.put(key, bytes(key))));
	t.deepEqual(await store.deleteMany(keys.map((key, index) => ({key, etag: written[index]?.etag}))), []);
	t.deepEqual((await store.list({prefix: ''})).objects, []);
	t.is(server.requests.count({operation: 'DeleteObject'}), 0);
});

test('a server that refuses the header is used without it', async t => {
	const {store, server} = await startTestS3Store(t);
	const {etag} = await store.put('file', bytes('x'));
	server.faults.errors = [{operation: 'DeleteObject', status: 501, code: 'NotImplemented', count: 1}];
	await store.delete('file', {ifMatch: etag});
	t.is(await store.head('file'), undefined);
});

test('a deletion without the permission to read says which permissions it needs', async t => {
	const {store, server} = await startTestS3Store(t);
	server.faults.errors = [{operation: 'DeleteObject', status: 403, code: 'AccessDenied'}];
	const error = await throwsStoreError(t, 'accessDenied', store.delete('file', {ifMatch: 'x'}));
	t.regex(error.message, /allow s3:DeleteObject and s3:GetObject/);
});
