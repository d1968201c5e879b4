import {
	CreateBucketCommand,
	GetBucketEncryptionCommand,
	GetBucketLifecycleConfigurationCommand,
	GetBucketLocationCommand,
	GetBucketOwnershipControlsCommand,
	GetBucketTaggingCommand,
	GetBucketVersioningCommand,
	GetPublicAccessBlockCommand,
	PutBucketTaggingCommand,
	PutBucketVersioningCommand,
	type S3Client,
} from '@aws-sdk/client-s3';
import {setTimeout as delay} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {parseVolumeOptions} from '../../src/model/volume-options.ts';
import {provisionBucket, type ProvisionRequest} from '../../src/store/provision-bucket.ts';
import {createTestClient, devCredentials, startTestDevServer} from '../support/dev-server.ts';
import {throwsStoreError} from '../support/test-s3-store.ts';

const start = async (t: ExecutionContext) => {
	const {server, endpoint} = await startTestDevServer(t);
	const client = createTestClient(t, {endpoint});
	const provision = async (options: Record<string, string> = {}, request: Partial<ProvisionRequest> = {}) =>
		provisionBucket({
			options: parseVolumeOptions({name: 'my-files', endpoint, 'path-style': 'true', ...options}),
			credentials: devCredentials,
			...request,
		});
	server.requests.clear();
	return {server, endpoint, client, provision};
};

const readTags = async (client: S3Client, Bucket = 'my-files'): Promise<Record<string, string>> => {
	const {TagSet = []} = await client.send(new GetBucketTaggingCommand({Bucket}));
	return Object.fromEntries(TagSet.map(({Key = '', Value = ''}) => [Key, Value]));
};

const assertSettings = async (t: ExecutionContext, client: S3Client): Promise<void> => {
	const Bucket = 'my-files';
	const ownership = await client.send(new GetBucketOwnershipControlsCommand({Bucket}));
	t.is(ownership.OwnershipControls?.Rules?.[0]?.ObjectOwnership, 'BucketOwnerEnforced');
	const access = await client.send(new GetPublicAccessBlockCommand({Bucket}));
	t.deepEqual(access.PublicAccessBlockConfiguration, {
		BlockPublicAcls: true,
		BlockPublicPolicy: true,
		IgnorePublicAcls: true,
		RestrictPublicBuckets: true,
	});
	const lifecycle = await client.send(new GetBucketLifecycleConfigurationCommand({Bucket}));
	t.deepEqual(
		lifecycle.Rules?.map(rule => [rule.Status, rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation]),
		[['Enabled', 7]],
	);
	t.is((await client.send(new GetBucketVersioningCommand({Bucket}))).Status, 'Enabled');
	t.like(await readTags(client), {'pnx-volume:created-by': 'pnx-volume', 'pnx-volume:provisioning': 'done'});
};

test('provisionBucket() creates an absent bucket with every setting and tells who it was made for', async t => {
	const {client, provision} = await start(t);
	const messages: string[] = [];
	const result = await provision(
		{encryption: 'sse-s3'},
		{createdFor: {namespace: 'team-a', volume: 'my "files"'}, log: message => messages.push(message)},
	);
	t.deepEqual(result, {created: true, completed: false});
	await assertSettings(t, client);
	t.deepEqual(await readTags(client), {
		'pnx-volume:created-by': 'pnx-volume',
		'pnx-volume:provisioning': 'done',
		'pnx-volume:namespace': 'team-a',
		'pnx-volume:volume': 'my _files_',
	});
	const encryption = await client.send(new GetBucketEncryptionCommand({Bucket: 'my-files'}));
	t.is(
		encryption.ServerSideEncryptionConfiguration?.Rules?.[0]?.ApplyServerSideEncryptionByDefault?.SSEAlgorithm,
		'AES256',
	);
	t.deepEqual(messages, ['bucket created']);
});

test('provisionBucket() leaves versioning off when it is not asked for', async t => {
	const {client, provision} = await start(t);
	await provision({versioning: 'false'});
	t.is((await client.send(new GetBucketVersioningCommand({Bucket: 'my-files'}))).Status, undefined);
});

test('provisionBucket() creates the bucket in the region asked for', async t => {
	const {client, provision} = await start(t);
	await provision({region: 'eu-central-1'});
	t.is((await client.send(new GetBucketLocationCommand({Bucket: 'my-files'}))).LocationConstraint, 'eu-central-1');
});

test('provisionBucket() asks without a location when the server refuses the region', async t => {
	const {server, provision} = await start(t);
	server.faults.errors = [{operation: 'CreateBucket', status: 400, code: 'InvalidLocationConstraint', count: 2}];
	// The server under test would create it in us-east-1, and holds that against the region of the signature.
	await throwsStoreError(t, 'wrongRegion', provision({region: 'eu-test-1'}));
	t.is(server.requests.count({operation: 'CreateBucket'}), 3);
});

test('provisionBucket() asks twice about a bucket that is there, at once, and changes nothing', async t => {
	const {server, client, provision} = await start(t);
	await client.send(new CreateBucketCommand({Bucket: 'my-files'}));
	server.requests.clear();
	t.deepEqual(await provision(), {created: false, completed: false});
	t.deepEqual(server.requests.counts(), {HeadBucket: 1, GetBucketTagging: 1});
	await provision({'read-only': 'true'});
	await provision({provision: 'false'});
	t.deepEqual(server.requests.counts(), {HeadBucket: 3, GetBucketTagging: 1});
});

test('provisionBucket() again finds its own bucket ready', async t => {
	const {server, provision} = await start(t);
	await provision();
	server.requests.clear();
	t.deepEqual(await provision(), {created: false, completed: false});
	t.is(server.requests.count(), 2);
});

test('provisionBucket() on three nodes at once succeeds on all of them', async t => {
	const {server, client, provision} = await start(t);
	server.faults.latencyMs = 10;
	const results = await Promise.all([provision(), provision(), provision()]);
	t.is(results.filter(({created}) => created).length, 1);
	t.true(server.requests.count({operation: 'CreateBucket'}) <= 3);
	server.faults.latencyMs = 0;
	await assertSettings(t, client);
});

for (const operation of [
	'PutBucketOwnershipControls',
	'PutPublicAccessBlock',
	'PutBucketVersioning',
	'PutBucketLifecycleConfiguration',
]) {
	test(`provisionBucket() completes a bucket whose creation broke off at ${operation}`, async t => {
		const {server, client, provision} = await start(t);
		server.faults.errors = [{operation, status: 403, code: 'AccessDenied'}];
		const error = await throwsStoreError(t, 'accessDenied', provision());
		t.regex(error.message, /access denied; allow s3:Put\w+ on bucket "my-files"/);
		t.like(await readTags(client), {'pnx-volume:provisioning': 'pending'});
		server.faults.errors = [];
		t.deepEqual(await provision(), {created: false, completed: true});
		await assertSettings(t, client);
		t.deepEqual(await provision(), {created: false, completed: false});
	});
}

test('provisionBucket() applies no settings to a bucket that another node has made and finished meanwhile', async t => {
	const {server, client, provision} = await start(t);
	server.faults.holds = [{operation: 'CreateBucket', count: 1}];
	const slow = provision();
	while (server.requests.count({operation: 'CreateBucket'}) === 0) {
		await delay(5);
	}

	t.deepEqual(await provision(), {created: true, completed: false});
	// What an operator changes from then on stays.
	await client.send(
		new PutBucketVersioningCommand({Bucket: 'my-files', VersioningConfiguration: {Status: 'Suspended'}}),
	);
	server.faults.holds = [];
	t.deepEqual(await slow, {created: false, completed: false});
	t.is((await client.send(new GetBucketVersioningCommand({Bucket: 'my-files'}))).Status, 'Suspended');
	t.is(server.requests.count({operation: 'PutPublicAccessBlock'}), 1);
});

test('provisionBucket() leaves an unfinished bucket as it is for a read-only volume, and for one that may not create', async t => {
	const {server, client, provision} = await start(t);
	server.faults.errors = [{operation: 'PutBucketVersioning', status: 403, code: 'AccessDenied'}];
	await throwsStoreError(t, 'accessDenied', provision({}, {createdFor: {namespace: 'web'}}));
	server.faults.errors = [];
	const tags = await readTags(client);
	t.like(tags, {'pnx-volume:provisioning': 'pending'});
	server.requests.clear();
	const rule = {ownedBy: {namespace: 'web', remedy: 'ask'}};
	for (const [options, request] of [
		[{'read-only': 'true'}, {}],
		[{provision: 'false'}, {}],
		[{'read-only': 'true'}, {rule}],
		[{provision: 'false'}, {rule}],
		[{}, {rule: {...rule, creationForbidden: {remedy: 'ask'}}}],
	] as const) {
		t.deepEqual(await provision(options, request), {created: false, completed: false});
	}

	t.deepEqual(
		Object.keys(server.requests.counts()).filter(operation => operation.startsWith('Put')),
		[],
	);
	t.deepEqual(await readTags(client), tags);
});

test('provisionBucket() leaves a bucket alone that somebody made by hand and did not tag', async t => {
	const {server, client, provision} = await start(t);
	await client.send(new CreateBucketCommand({Bucket: 'my-files'}));
	await client.send(
		new PutBucketTaggingCommand({
			Bucket: 'my-files',
			Tagging: {TagSet: [{Key: 'pnx-volume:provisioning', Value: 'pending'}]},
		}),
	);
	server.requests.clear();
	await provision();
	t.deepEqual(server.requests.counts(), {HeadBucket: 1, GetBucketTagging: 1});
});

test('provisionBucket() keeps the tags that are there', async t => {
	const {server, client, provision} = await start(t);
	server.faults.errors = [{operation: 'PutBucketVersioning', status: 403, code: 'AccessDenied'}];
	await throwsStoreError(t, 'accessDenied', provision({}, {createdFor: {namespace: 'first'}}));
	const tags = {...(await readTags(client)), cost: 'center 1'};
	await client.send(
		new PutBucketTaggingCommand({
			Bucket: 'my-files',
			Tagging: {TagSet: Object.entries(tags).map(([Key, Value]) => ({Key, Value}))},
		}),
	);
	server.faults.errors = [];
	await provision({}, {createdFor: {namespace: 'second', volume: 'v'}});
	t.deepEqual(await readTags(client), {
		cost: 'center 1',
		'pnx-volume:created-by': 'pnx-volume',
		'pnx-volume:provisioning': 'done',
		'pnx-volume:namespace': 'first',
		'pnx-volume:volume': 'v',
	});
});

test('provisionBucket() tries again while the server is busy, and after a lost answer to the creation', async t => {
	const {server, client, provision} = await start(t);
	server.faults.errors = [
		{operation: 'CreateBucket', status: 409, code: 'OperationAborted', count: 2},
		{operation: 'PutBucketTagging', status: 503, code: 'SlowDown', count: 1},
		{operation: 'HeadBucket', status: 500, code: 'InternalError', count: 1},
	];
	server.faults.drops = [{operation: 'CreateBucket', when: 'after', count: 1}];
	const {created, completed} = await provision();
	t.true(created || completed);
	await assertSettings(t, client);
});

test('provisionBucket() goes on without the settings that a server does not know, and says so', async t => {
	const {server, client, provision} = await start(t);
	server.faults.notImplemented = ['PutBucketOwnershipControls'];
	server.faults.errors = [
		{operation: 'PutPublicAccessBlock', status: 405, code: 'MethodNotAllowed'},
		{operation: 'PutBucketLifecycleConfiguration', status: 400, code: 'MalformedXML'},
	];
	const logged: unknown[] = [];
	t.true((await provision({}, {log: (message, {setting}) => logged.push([message, setting])})).created);
	const message = 'the server does not know a setting of the bucket';
	t.deepEqual(logged, [
		[message, 'ownership'],
		[message, 'public access block'],
		[message, 'clean-up of incomplete uploads'],
		['bucket created', undefined],
	]);
	t.is((await client.send(new GetBucketVersioningCommand({Bucket: 'my-files'}))).Status, 'Enabled');
});

test('provisionBucket() completes a bucket whose creator died right after the creation', async t => {
	const {server, client, provision} = await start(t);
	// Nothing gets through after the bucket is made, not even the answer.
	server.faults.drops = [{operation: 'CreateBucket', when: 'after'}];
	await t.throwsAsync(provision({timeout: '10s'}), {name: 'StoreError'});
	server.faults.drops = [];
	t.like(await readTags(client), {'pnx-volume:provisioning': 'pending'});
	t.deepEqual(await provision(), {created: false, completed: true});
	await assertSettings(t, client);
});

test('provisionBucket() creates the bucket and tags it after that on a server that takes no tags with a creation', async t => {
	const {server, client, provision} = await start(t);
	server.faults.errors = [{operation: 'CreateBucket', status: 400, code: 'MalformedXML', count: 1}];
	t.true((await provision({}, {createdFor: {namespace: 'team-a'}})).created);
	t.is(server.requests.count({operation: 'CreateBucket'}), 2);
	t.like(await readTags(client), {'pnx-volume:provisioning': 'done', 'pnx-volume:namespace': 'team-a'});
});

test('provisionBucket() works on a server without tags', async t => {
	const {server, provision} = await start(t);
	server.faults.notImplemented = ['GetBucketTagging', 'PutBucketTagging'];
	t.true((await provision()).created);
	t.false((await provision()).created);
});

test('provisionBucket() fails when the server cannot do the encryption that was asked for', async t => {
	const {server, provision} = await start(t);
	server.faults.notImplemented = ['PutBucketEncryption'];
	const error = await throwsStoreError(t, 'notImplemented', provision({encryption: 'sse-kms:alias/my-key'}));
	t.regex(error.message, /turn on the encryption sse-kms:alias\/my-key/);
});

test('provisionBucket() without leave to create fails on an absent bucket, and creates nothing', async t => {
	const {server, provision} = await start(t);
	const forbidden = await throwsStoreError(t, 'noSuchBucket', provision({provision: 'false'}));
	t.regex(
		forbidden.message,
		/bucket "my-files": it does not exist in http:.*; create it, or set the option "provision" to "true"/,
	);
	const readOnly = await throwsStoreError(t, 'noSuchBucket', provision({'read-only': 'true'}));
	t.regex(readOnly.message, /a read-only volume does not create it/);
	t.deepEqual(server.requests.counts(), {HeadBucket: 2});
});

test('provisionBucket() names each reason why a bucket cannot be used, in one line', async t => {
	const {server, client, provision} = await start(t);
	await client.send(
		new CreateBucketCommand({Bucket: 'my-files', CreateBucketConfiguration: {LocationConstraint: 'eu-west-1'}}),
	);
	server.faults.foreignBuckets = ['theirs'];
	const reasons = [
		await throwsStoreError(t, 'wrongRegion', provision()),
		await throwsStoreError(t, 'accessDenied', provision({name: 'theirs'})),
		await throwsStoreError(t, 'invalidRequest', provision({name: 'My_Files'})),
		await throwsStoreError(
			t,
			'badCredentials',
			provision({name: 'absent'}, {credentials: {...devCredentials, secretAccessKey: 'wrong'}}),
		),
		await throwsStoreError(
			t,
			'badCredentials',
			provision({name: 'absent'}, {credentials: {accessKeyId: 'nobody', secretAccessKey: 'x'}}),
		),
		await throwsStoreError(t, 'unavailable', provision({endpoint: 'http://127.0.0.1:9'})),
	];
	const words = [
		/set the option "region" to "eu-west-1"/,
		/belongs to another account/,
		/"My_Files" cannot be a bucket name: it must be in lower case/,
		/secret key is wrong/,
		/does not know the access key/,
		/check the option "endpoint"/,
	];
	for (const [index, {message}] of reasons.entries()) {
		t.regex(message, words[index] ?? /never/);
		t.false(message.includes('\n'));
		t.false(message.includes('dev-secret'));
	}
});

test('provisionBucket() fails with bucketTaken when the name was taken by another account meanwhile', async t => {
	const {server, provision} = await start(t);
	server.faults.errors = [
		{operation: 'CreateBucket', status: 409, code: 'BucketAlreadyExists'},
		{operation: 'HeadBucket', status: 404, code: 'NoSuchBucket'},
	];
	const error = await throwsStoreError(t, 'bucketTaken', provision());
	t.regex(error.message, /belongs to another account; choose another bucket name/);
});

test('provisionBucket() tells that the clocks differ', async t => {
	const {server, provision} = await start(t);
	server.faults.errors = [{status: 403, code: 'RequestTimeTooSkewed'}];
	const error = await throwsStoreError(t, 'clockSkew', provision());
	t.regex(error.message, /set the clock of this machine \(NTP\)/);
});

test('provisionBucket() fails within its deadline when the server is silent, and at once when it is aborted', async t => {
	const {server, provision} = await start(t);
	server.faults.stalls = [{when: 'before'}];
	const error = await throwsStoreError(t, 'timeout', provision({timeout: '1s'}));
	t.regex(error.message, /no answer within/);
	await throwsStoreError(t, 'aborted', provision({}, {signal: AbortSignal.timeout(50)}));
});
