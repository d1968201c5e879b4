import {
	CreateBucketCommand,
	DeleteBucketCommand,
	DeleteBucketLifecycleCommand,
	DeleteObjectCommand,
	GetBucketEncryptionCommand,
	GetBucketLifecycleConfigurationCommand,
	GetBucketLocationCommand,
	GetBucketOwnershipControlsCommand,
	GetBucketTaggingCommand,
	GetPublicAccessBlockCommand,
	HeadBucketCommand,
	HeadObjectCommand,
	ListBucketsCommand,
	PutBucketEncryptionCommand,
	PutBucketLifecycleConfigurationCommand,
	PutBucketOwnershipControlsCommand,
	PutBucketTaggingCommand,
	PutObjectCommand,
	PutPublicAccessBlockCommand,
	GetObjectTaggingCommand,
	PutObjectTaggingCommand,
} from '@aws-sdk/client-s3';
import test from 'ava';
import {createTestClient, startTestDevServer} from '../../support/dev-server.ts';
import {sendSigned} from '../../dev-server/support/signed-request.ts';

test('CreateBucket takes the names that S3 takes', async t => {
	const {endpoint} = await startTestDevServer(t);
	const create = async (name: string) => (await sendSigned({endpoint, method: 'PUT', path: `/${name}`})).code;
	for (const name of ['abc', 'my-files', 'a.b.c', '123', 'x'.repeat(63)]) {
		t.is(await create(name), undefined, name);
	}

	for (const name of [
		'ab',
		'x'.repeat(64),
		'My-files',
		'a_b',
		'-abc',
		'abc-',
		'a..b',
		'192.168.5.4',
		'xn--abc',
		'sthree-abc',
		'abc-s3alias',
		'abc--ol-s3',
	]) {
		t.is(await create(name), 'InvalidBucketName', name);
	}
});

test('a bucket that exists is already owned, and goes only when it is empty', async t => {
	const {endpoint, bucket: Bucket} = await startTestDevServer(t);
	const client = createTestClient(t, {endpoint});
	await t.throwsAsync(client.send(new CreateBucketCommand({Bucket})), {name: 'BucketAlreadyOwnedByYou'});
	t.deepEqual(
		(await client.send(new ListBucketsCommand({}))).Buckets!.map(bucket => bucket.Name),
		[Bucket],
	);
	await client.send(new PutObjectCommand({Bucket, Key: 'k', Body: 'x'}));
	await t.throwsAsync(client.send(new DeleteBucketCommand({Bucket})), {name: 'BucketNotEmpty'});
	await client.send(new DeleteObjectCommand({Bucket, Key: 'k'}));
	await client.send(new DeleteBucketCommand({Bucket}));
	await t.throwsAsync(client.send(new HeadBucketCommand({Bucket})), {name: 'NotFound'});
	await t.throwsAsync(client.send(new DeleteBucketCommand({Bucket})), {name: 'NoSuchBucket'});
});

test('a bucket is in the region where it was created', async t => {
	const {endpoint} = await startTestDevServer(t);
	const east = createTestClient(t, {endpoint});
	const frankfurt = createTestClient(t, {endpoint}, {region: 'eu-central-1'});
	await frankfurt.send(new CreateBucketCommand({Bucket: 'in-frankfurt'}));
	await east.send(
		new CreateBucketCommand({Bucket: 'from-far', CreateBucketConfiguration: {LocationConstraint: 'eu-west-1'}}),
	);
	t.is(
		(await frankfurt.send(new GetBucketLocationCommand({Bucket: 'in-frankfurt'}))).LocationConstraint,
		'eu-central-1',
	);
	t.is((await east.send(new GetBucketLocationCommand({Bucket: 'from-far'}))).LocationConstraint, 'eu-west-1');
	t.is((await east.send(new GetBucketLocationCommand({Bucket: 'test'}))).LocationConstraint, undefined);
	t.is((await frankfurt.send(new HeadBucketCommand({Bucket: 'in-frankfurt'}))).BucketRegion, 'eu-central-1');
	await t.throwsAsync(
		frankfurt.send(
			new CreateBucketCommand({Bucket: 'elsewhere', CreateBucketConfiguration: {LocationConstraint: 'eu-west-1'}}),
		),
		{name: 'IllegalLocationConstraintException'},
	);
	t.is(
		(await sendSigned({endpoint, method: 'PUT', path: '/nowhere', region: 'eu-central-1'})).code,
		'IllegalLocationConstraintException',
	);
});

test('a server of one region refuses requests for others and names its own', async t => {
	const {endpoint} = await startTestDevServer(t, {region: 'eu-central-1'});
	const error = await t.throwsAsync(createTestClient(t, {endpoint}).send(new ListBucketsCommand({})), {
		name: 'AuthorizationHeaderMalformed',
	});
	t.is((error as unknown as {Region: string}).Region, 'eu-central-1');
	await t.notThrowsAsync(createTestClient(t, {endpoint}, {region: 'eu-central-1'}).send(new ListBucketsCommand({})));
});

test('the settings of a bucket come back as they were put', async t => {
	const {endpoint, bucket: Bucket} = await startTestDevServer(t);
	const client = createTestClient(t, {endpoint});
	const PublicAccessBlockConfiguration = {
		BlockPublicAcls: true,
		IgnorePublicAcls: false,
		BlockPublicPolicy: true,
		RestrictPublicBuckets: false,
	};
	await client.send(new PutPublicAccessBlockCommand({Bucket, PublicAccessBlockConfiguration}));
	t.deepEqual(
		(await client.send(new GetPublicAccessBlockCommand({Bucket}))).PublicAccessBlockConfiguration,
		PublicAccessBlockConfiguration,
	);
	await client.send(
		new PutBucketOwnershipControlsCommand({
			Bucket,
			OwnershipControls: {Rules: [{ObjectOwnership: 'BucketOwnerPreferred'}]},
		}),
	);
	t.deepEqual((await client.send(new GetBucketOwnershipControlsCommand({Bucket}))).OwnershipControls, {
		Rules: [{ObjectOwnership: 'BucketOwnerPreferred'}],
	});
	await t.throwsAsync(client.send(new GetBucketTaggingCommand({Bucket})), {name: 'NoSuchTagSet'});
	await client.send(new PutBucketTaggingCommand({Bucket, Tagging: {TagSet: [{Key: 'team', Value: 'x y'}]}}));
	t.deepEqual((await client.send(new GetBucketTaggingCommand({Bucket}))).TagSet, [{Key: 'team', Value: 'x y'}]);
	await t.throwsAsync(
		client.send(new PutBucketTaggingCommand({Bucket, Tagging: {TagSet: [{Key: 'a', Value: '<v>'}]}})),
		{name: 'InvalidTag'},
	);
	await t.throwsAsync(client.send(new GetBucketLifecycleConfigurationCommand({Bucket})), {
		name: 'NoSuchLifecycleConfiguration',
	});
	const Rules = [
		{
			ID: 'abort',
			Status: 'Enabled' as const,
			Filter: {Prefix: ''},
			AbortIncompleteMultipartUpload: {DaysAfterInitiation: 7},
		},
	];
	await client.send(new PutBucketLifecycleConfigurationCommand({Bucket, LifecycleConfiguration: {Rules}}));
	t.like((await client.send(new GetBucketLifecycleConfigurationCommand({Bucket}))).Rules![0], Rules[0]!);
	await client.send(new DeleteBucketLifecycleCommand({Bucket}));
	await t.throwsAsync(client.send(new GetBucketLifecycleConfigurationCommand({Bucket})), {
		name: 'NoSuchLifecycleConfiguration',
	});
});

test('the default encryption of a bucket is that of its objects', async t => {
	const {endpoint, bucket: Bucket} = await startTestDevServer(t);
	const client = createTestClient(t, {endpoint});
	const encryptionOf = async (Key: string) => {
		await client.send(new PutObjectCommand({Bucket, Key, Body: 'x'}));
		const {ServerSideEncryption, SSEKMSKeyId} = await client.send(new HeadObjectCommand({Bucket, Key}));
		return [ServerSideEncryption, SSEKMSKeyId];
	};

	t.deepEqual(await encryptionOf('a'), ['AES256', undefined]);
	const ApplyServerSideEncryptionByDefault = {SSEAlgorithm: 'aws:kms' as const, KMSMasterKeyID: 'alias/files'};
	await client.send(
		new PutBucketEncryptionCommand({
			Bucket,
			ServerSideEncryptionConfiguration: {Rules: [{ApplyServerSideEncryptionByDefault}]},
		}),
	);
	t.deepEqual(await encryptionOf('b'), ['aws:kms', 'alias/files']);
	const {ServerSideEncryptionConfiguration} = await client.send(new GetBucketEncryptionCommand({Bucket}));
	t.deepEqual(
		ServerSideEncryptionConfiguration!.Rules![0]!.ApplyServerSideEncryptionByDefault,
		ApplyServerSideEncryptionByDefault,
	);
});

test('the tags of an object come back, and are counted', async t => {
	const {endpoint, bucket: Bucket} = await startTestDevServer(t);
	const client = createTestClient(t, {endpoint});
	await client.send(new PutObjectCommand({Bucket, Key: 'k', Body: 'x', Tagging: 'a=1&b=x%20y'}));
	t.deepEqual((await client.send(new GetObjectTaggingCommand({Bucket, Key: 'k'}))).TagSet, [
		{Key: 'a', Value: '1'},
		{Key: 'b', Value: 'x y'},
	]);
	t.is((await client.send(new HeadObjectCommand({Bucket, Key: 'k'}))).TagCount, 2);
	await t.throwsAsync(
		client.send(
			new PutObjectTaggingCommand({
				Bucket,
				Key: 'k',
				Tagging: {TagSet: Array.from({length: 11}, (_, index) => ({Key: `${index}`, Value: ''}))},
			}),
		),
		{name: 'InvalidTag'},
	);
});
