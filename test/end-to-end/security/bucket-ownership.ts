/**
With the node's credentials a namespace gets the buckets that were made for it. What decides is in the bucket's
tags.
*/
import {CreateBucketCommand, GetBucketTaggingCommand, PutBucketTaggingCommand, type S3Client} from '@aws-sdk/client-s3';
import test, {type ExecutionContext} from 'ava';
import {parseVolumeOptions} from '../../../src/model/volume-options.ts';
import type {VolumeRule} from '../../../src/model/volume-rule.ts';
import {provisionBucket, type ProvisionRequest} from '../../../src/store/provision-bucket.ts';
import {createTestClient, devCredentials, startTestDevServer} from '../../support/dev-server.ts';
import {throwsStoreError} from '../../support/test-s3-store.ts';

const Bucket = 'my-files';
const ruleOf = (namespace: string, cluster?: string): VolumeRule => ({
	ownedBy: {namespace, remedy: `add "${namespace}" to the policy`},
	cluster,
});

const start = async (t: ExecutionContext) => {
	const {server, endpoint} = await startTestDevServer(t);
	const client = createTestClient(t, {endpoint});
	const provision = async (
		namespace: string,
		{cluster, ...options}: Record<string, string> = {},
		request: Partial<ProvisionRequest> = {},
	) =>
		provisionBucket({
			options: parseVolumeOptions({name: Bucket, endpoint, 'path-style': 'true', ...options}),
			credentials: devCredentials,
			createdFor: {namespace, volume: 'v'},
			rule: ruleOf(namespace, cluster),
			...request,
		});
	return {server, client, provision, endpoint};
};

const readTags = async (client: S3Client): Promise<Record<string, string>> => {
	const {TagSet = []} = await client.send(new GetBucketTaggingCommand({Bucket}));
	return Object.fromEntries(TagSet.map(({Key = '', Value = ''}) => [Key, Value]));
};

const tag = async (client: S3Client, tags: Record<string, string>): Promise<void> => {
	await client.send(
		new PutBucketTaggingCommand({
			Bucket,
			Tagging: {TagSet: Object.entries(tags).map(([Key, Value]) => ({Key, Value}))},
		}),
	);
};

test("a bucket that is made for a namespace is its own from then on, and nobody else's", async t => {
	const {client, provision} = await start(t);
	t.deepEqual(await provision('web'), {created: true, completed: false});
	t.like(await readTags(client), {'pnx-volume:namespace': 'web', 'pnx-volume:provisioning': 'done'});
	t.deepEqual(await provision('web'), {created: false, completed: false});
	t.deepEqual(await provision('web', {'read-only': 'true'}), {created: false, completed: false});
	for (const namespace of ['shop', 'we', 'web2', 'WEB']) {
		for (const options of [{}, {'read-only': 'true'}, {provision: 'false'}, {prefix: 'web'}]) {
			const error = await throwsStoreError(t, 'accessDenied', provision(namespace, options));
			t.regex(
				error.message,
				/^Cannot use bucket "my-files": .* its tags do not say that pnx-volume made it for namespace/,
			);
			t.true(error.message.endsWith(`add "${namespace}" to the policy`));
			t.false(error.message.includes('"web"'), 'Whose it is, is not for others to know');
		}
	}
});

test('an older bucket, with tags of others or none, belongs to no namespace', async t => {
	const {client, provision} = await start(t);
	await client.send(new CreateBucketCommand({Bucket}));
	await throwsStoreError(t, 'accessDenied', provision('web'));
	for (const tags of [
		{owner: 'web'},
		{'pnx-volume:namespace': 'web'},
		{'pnx-volume:created-by': 'web', 'pnx-volume:namespace': 'web'},
		{'pnx-volume:created-by': 'pnx-volume', 'pnx-volume:Namespace': 'web'},
	]) {
		await tag(client, tags);
		await throwsStoreError(t, 'accessDenied', provision('web'));
		t.deepEqual(await readTags(client), tags, 'Nothing was added to them');
	}

	await tag(client, {'pnx-volume:created-by': 'pnx-volume', 'pnx-volume:namespace': 'web'});
	t.deepEqual(await provision('web'), {created: false, completed: false});
});

test('an unfinished bucket of another namespace is not completed for this one', async t => {
	const {server, client, provision} = await start(t);
	server.faults.errors = [{operation: 'PutBucketVersioning', status: 403, code: 'AccessDenied'}];
	await throwsStoreError(t, 'accessDenied', provision('web'));
	server.faults.errors = [];
	t.like(await readTags(client), {'pnx-volume:provisioning': 'pending'});
	await throwsStoreError(t, 'accessDenied', provision('shop'));
	t.like(await readTags(client), {'pnx-volume:provisioning': 'pending', 'pnx-volume:namespace': 'web'});
	t.deepEqual(await provision('web'), {created: false, completed: true});
});

test("a bucket of a cluster is that cluster's: the same namespace of another, or of one without a name, is somebody else", async t => {
	const {client, provision} = await start(t);
	await provision('default', {cluster: 'production'});
	t.is((await readTags(client))['pnx-volume:cluster'], 'production');
	t.false((await provision('default', {cluster: 'production'})).created);
	await throwsStoreError(t, 'accessDenied', provision('default', {cluster: 'test'}));
	await throwsStoreError(t, 'accessDenied', provision('default'));
	await tag(client, {'pnx-volume:created-by': 'pnx-volume', 'pnx-volume:namespace': 'default'});
	await throwsStoreError(t, 'accessDenied', provision('default', {cluster: 'production'}));
});

for (const [title, errors, advice] of [
	[
		'may not be read',
		[{operation: 'GetBucketTagging', status: 403, code: 'AccessDenied'}],
		/allow s3:GetBucketTagging, or add "web" to the policy/,
	],
	[
		'are unknown to the server',
		[{operation: 'GetBucketTagging', status: 501, code: 'NotImplemented'}],
		/this server does not support tags of buckets: add "web" to the policy/,
	],
	[
		'are answered with 404',
		[{operation: 'GetBucketTagging', status: 404, code: 'NoSuchResource'}],
		/this server does not support tags of buckets/,
	],
	[
		'are answered with 400',
		[{operation: 'GetBucketTagging', status: 400, code: 'InvalidRequest'}],
		/this server does not support tags of buckets/,
	],
] as const) {
	test(`a bucket whose tags ${title} is refused, and none is created`, async t => {
		const {server, provision} = await start(t);
		await provision('web');
		server.faults.errors = [...errors];
		const error = await throwsStoreError(t, 'accessDenied', provision('web'));
		t.regex(error.message, /its tags, which name its owner, cannot be read; /);
		t.regex(error.message, advice);
		await throwsStoreError(t, 'accessDenied', provision('web', {name: 'other-files'}));
		t.is(server.requests.count({operation: 'CreateBucket'}), 1, 'The first one');
	});
}

test('of two namespaces that create one bucket at the same time, one gets it', async t => {
	const {server, client, provision} = await start(t);
	server.faults.latencyMs = 20;
	const results = await Promise.allSettled(['web', 'shop', 'web', 'shop'].map(async namespace => provision(namespace)));
	const owner = (await readTags(client))['pnx-volume:namespace']!;
	t.deepEqual(
		results.map(({status}) => status),
		['web', 'shop', 'web', 'shop'].map(namespace => (namespace === owner ? 'fulfilled' : 'rejected')),
	);
});

test('of two namespaces that create one bucket at the same time, one gets it also on a server that takes no tags with a creation', async t => {
	const {server, client, provision} = await start(t);
	server.faults.latencyMs = 20;
	server.faults.errors = [{operation: 'CreateBucket', status: 400, code: 'MalformedXML', count: 2}];
	const results = await Promise.allSettled(['web', 'shop'].map(async namespace => provision(namespace)));
	const owner = (await readTags(client))['pnx-volume:namespace']!;
	t.deepEqual(
		results.map(({status}) => status),
		['web', 'shop'].map(namespace => (namespace === owner ? 'fulfilled' : 'rejected')),
	);
});

test('a creator that finds the tags of another namespace gives way, although the server said that the bucket is new', async t => {
	const {server, client, provision} = await start(t);
	// As where a second creation by the same owner is a success: the tags are those of whoever wrote them last.
	server.faults.errors = [{operation: 'CreateBucket', status: 400, code: 'MalformedXML', count: 1}];
	const losing = provision('web');
	while (server.requests.count({operation: 'PutBucketTagging'}) === 0) {
		await new Promise(resolve => {
			setTimeout(resolve, 5);
		});
	}

	await tag(client, {
		'pnx-volume:created-by': 'pnx-volume',
		'pnx-volume:provisioning': 'pending',
		'pnx-volume:namespace': 'shop',
	});
	await throwsStoreError(t, 'accessDenied', losing);
	t.is((await readTags(client))['pnx-volume:namespace'], 'shop');
	t.is(server.requests.count({operation: 'PutBucketVersioning'}), 0, 'It did nothing to a bucket that is not its own');
});

test('a bucket whose tags become those of another namespace while its settings are applied is refused', async t => {
	const {server, client, provision} = await start(t);
	server.faults.holds = [{operation: 'PutBucketVersioning'}];
	const losing = provision('web');
	while (server.requests.count({operation: 'PutBucketVersioning'}) === 0) {
		await new Promise(resolve => {
			setTimeout(resolve, 5);
		});
	}

	await tag(client, {
		'pnx-volume:created-by': 'pnx-volume',
		'pnx-volume:provisioning': 'pending',
		'pnx-volume:namespace': 'shop',
	});
	server.faults.holds = [];
	await throwsStoreError(t, 'accessDenied', losing);
	t.is((await readTags(client))['pnx-volume:namespace'], 'shop');
});

test('a policy without leave to create refuses an absent bucket with what would allow it, and creates nothing', async t => {
	const {server, provision} = await start(t);
	const error = await throwsStoreError(
		t,
		'noSuchBucket',
		provision(
			'web',
			{},
			{rule: {...ruleOf('web'), creationForbidden: {remedy: 'set rules[0].withNodeCredentials.create to true'}}},
		),
	);
	t.regex(
		error.message,
		/does not let this namespace create buckets: have it created, or set rules\[0\]\.withNodeCredentials\.create to true$/,
	);
	t.is(server.requests.count({operation: 'CreateBucket'}), 0);
});

test('an endpoint whose name leads to the node itself is not connected to, where the policy did not name it', async t => {
	const {server, provision, endpoint} = await start(t);
	const byName = endpoint.replace('127.0.0.1', 'localhost');
	await provision('web', {endpoint: byName}); // It is reachable.
	server.requests.clear();
	const error = await throwsStoreError(
		t,
		'unavailable',
		provision('web', {endpoint: byName}, {rule: {...ruleOf('web'), isLocalEndpointRefused: true}}),
	);
	t.regex(error.message, /localhost leads to (?:127\.0\.0\.1|::1), which is this node itself or its metadata service/);
	t.is(server.requests.count(), 0);
});
