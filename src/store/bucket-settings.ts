import {
	GetBucketLifecycleConfigurationCommand,
	PutBucketEncryptionCommand,
	PutBucketLifecycleConfigurationCommand,
	PutBucketOwnershipControlsCommand,
	PutBucketVersioningCommand,
	PutPublicAccessBlockCommand,
	type LifecycleRule,
} from '@aws-sdk/client-s3';
import {isStoreError} from '../model/store-error.ts';
import type {BucketCalls} from './bucket-calls.ts';

/** One setting of a bucket that we made. Applying it again changes nothing. */
export type BucketSetting = {
	readonly name: string;
	/** Whether the user asked for it by name: then a server that cannot do it is a failure, and not just logged. */
	readonly isAskedFor: boolean;
	readonly apply: (calls: BucketCalls, done: ReadonlySet<string>) => Promise<unknown>;
};

const uploadRuleId = 'pnx-volume-abort-incomplete-uploads';
const uploadDaysMax = 7;

/** The settings of a new bucket, in the order in which they are applied. */
export const planBucketSettings = ({
	encryption,
	versioning,
}: {
	encryption: string;
	versioning: boolean;
}): BucketSetting[] => [
	{name: 'ownership', isAskedFor: false, apply: putOwnership},
	// Ceph 16 knows no ownership, and with BlockPublicAcls it refuses every write: there public ACLs are ignored
	// instead, which is as safe.
	{
		name: 'public access block',
		isAskedFor: false,
		apply: async (calls, done) => putPublicAccessBlock(calls, {blocksAcls: done.has('ownership')}),
	},
	...(encryption === ''
		? []
		: [{name: 'encryption', isAskedFor: true, apply: async (calls: BucketCalls) => putEncryption(calls, encryption)}]),
	...(versioning ? [{name: 'versioning', isAskedFor: false, apply: putVersioning}] : []),
	{name: 'clean-up of incomplete uploads', isAskedFor: false, apply: putUploadRule},
];

const putOwnership = (calls: BucketCalls) =>
	calls.call({
		operation: 'PutBucketOwnershipControls',
		action: `make us the owner of every object in bucket "${calls.bucket}"`,
		send: (client, options) =>
			client.send(
				new PutBucketOwnershipControlsCommand({
					Bucket: calls.bucket,
					OwnershipControls: {Rules: [{ObjectOwnership: 'BucketOwnerEnforced'}]},
				}),
				options,
			),
	});

const putPublicAccessBlock = (calls: BucketCalls, {blocksAcls}: {blocksAcls: boolean}) =>
	calls.call({
		operation: 'PutBucketPublicAccessBlock',
		action: `block public access to bucket "${calls.bucket}"`,
		send: (client, options) =>
			client.send(
				new PutPublicAccessBlockCommand({
					Bucket: calls.bucket,
					PublicAccessBlockConfiguration: {
						BlockPublicAcls: blocksAcls,
						IgnorePublicAcls: true,
						BlockPublicPolicy: true,
						RestrictPublicBuckets: true,
					},
				}),
				options,
			),
	});

const putEncryption = (calls: BucketCalls, encryption: string) =>
	calls.call({
		operation: 'PutEncryptionConfiguration',
		action: `turn on the encryption ${encryption} of bucket "${calls.bucket}"`,
		send: (client, options) =>
			client.send(
				new PutBucketEncryptionCommand({
					Bucket: calls.bucket,
					ServerSideEncryptionConfiguration: {
						Rules: [
							encryption === 'sse-s3'
								? {ApplyServerSideEncryptionByDefault: {SSEAlgorithm: 'AES256'}}
								: // A bucket key keeps each object from costing a call to KMS.
									{
										ApplyServerSideEncryptionByDefault: {
											SSEAlgorithm: 'aws:kms',
											KMSMasterKeyID: encryption.slice('sse-kms:'.length),
										},
										BucketKeyEnabled: true,
									},
						],
					},
				}),
				options,
			),
	});

const putVersioning = (calls: BucketCalls) =>
	calls.call({
		operation: 'PutBucketVersioning',
		action: `turn on versioning of bucket "${calls.bucket}"`,
		send: (client, options) =>
			client.send(
				new PutBucketVersioningCommand({Bucket: calls.bucket, VersioningConfiguration: {Status: 'Enabled'}}),
				options,
			),
	});

/** The rules of a bucket are written as a whole: those that somebody added since are kept. */
const putUploadRule = async (calls: BucketCalls): Promise<void> => {
	const rules = await readLifecycleRules(calls);
	if (rules.some(({ID}) => ID === uploadRuleId)) {
		return;
	}

	const rule: LifecycleRule = {
		ID: uploadRuleId,
		Status: 'Enabled',
		Filter: {Prefix: ''},
		AbortIncompleteMultipartUpload: {DaysAfterInitiation: uploadDaysMax},
	};
	await calls.call({
		operation: 'PutLifecycleConfiguration',
		action: `have incomplete uploads to bucket "${calls.bucket}" cleaned up`,
		send: (client, options) =>
			client.send(
				new PutBucketLifecycleConfigurationCommand({
					Bucket: calls.bucket,
					LifecycleConfiguration: {Rules: [...rules, rule]},
				}),
				options,
			),
	});
};

const readLifecycleRules = async (calls: BucketCalls): Promise<readonly LifecycleRule[]> => {
	try {
		const {Rules} = await calls.call({
			operation: 'GetLifecycleConfiguration',
			action: `read the lifecycle rules of bucket "${calls.bucket}"`,
			send: (client, options) =>
				client.send(new GetBucketLifecycleConfigurationCommand({Bucket: calls.bucket}), options),
		});
		return Rules ?? [];
	} catch (error) {
		if (isStoreError(error, 'notFound')) {
			// NoSuchLifecycleConfiguration
			return [];
		}

		throw error;
	}
};
