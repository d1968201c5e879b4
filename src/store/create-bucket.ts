import {CreateBucketCommand, HeadBucketCommand, type CreateBucketConfiguration} from '@aws-sdk/client-s3';
import {isStoreError, StoreError} from '../model/store-error.ts';
import type {BucketCalls} from './bucket-calls.ts';
import {toNewTags, type CreatedFor} from './bucket-tags.ts';

/**
Creates the bucket where it was asked for. Success also when another node of ours just did: then it is not `isNew`.

A bucket is born with its tags where the server can do that (Amazon can), which leaves no moment in which a crash could
lose them. Elsewhere a crash between creation and tagging leaves an empty bucket without tags: it is used as it is from
then on, because it looks like one that its user made by hand, whose settings are not ours to change.
*/
export const createBucket = async (calls: BucketCalls, createdFor: CreatedFor): Promise<{isNew: boolean}> => {
	const location: CreateBucketConfiguration =
		calls.region === 'us-east-1'
			? {}
			: {LocationConstraint: calls.region as NonNullable<CreateBucketConfiguration['LocationConstraint']>};
	const variants = [
		{...location, Tags: toNewTags(createdFor)},
		location,
		// Servers with one region only refuse to hear its name.
		...(calls.isAws || calls.region === 'us-east-1' ? [] : [{}]),
	];
	for (const [index, configuration] of variants.entries()) {
		try {
			await sendCreate(calls, configuration);
			return {isNew: true};
		} catch (error) {
			if (await isOursAlready(calls, error)) {
				return {isNew: false};
			}

			if (index === variants.length - 1 || !canBeSimpler(error)) {
				throw error;
			}
		}
	}

	throw new Error('createBucket() ran out of variants without an answer'); // The last one returned or threw.
};

const sendCreate = (calls: BucketCalls, configuration: CreateBucketConfiguration) =>
	calls.call({
		operation: 'CreateBucket',
		action: `create bucket "${calls.bucket}"`,
		send(client, options) {
			if (Object.keys(configuration).length > 0) {
				return client.send(
					new CreateBucketCommand({Bucket: calls.bucket, CreateBucketConfiguration: configuration}),
					options,
				);
			}

			// The SDK puts in its region where there is none: this takes it out again.
			const command = new CreateBucketCommand({Bucket: calls.bucket});
			command.middlewareStack.add(next => async args => next({...args, input: {Bucket: calls.bucket}}), {
				step: 'initialize',
				priority: 'low',
				name: 'withoutLocation',
			});
			return client.send(command, options);
		},
	});

/**
Several nodes may create a bucket at once, and an answer may be lost: what matters is that it is there and lets us
in.
*/
const isOursAlready = async (calls: BucketCalls, error: unknown): Promise<boolean> => {
	if (!isStoreError(error)) {
		return false;
	}

	if (error.s3Code === 'BucketAlreadyOwnedByYou') {
		return true;
	}

	// Some servers do not tell an owner that it is his.
	return error.code === 'bucketTaken' && (await canEnter(calls));
};

const canEnter = async (calls: BucketCalls): Promise<boolean> => {
	try {
		await headBucket(calls);
		return true;
	} catch (error) {
		if (isStoreError(error, 'accessDenied', 'invalidRequest', 'notFound', 'wrongRegion')) {
			return false;
		}

		throw error;
	}
};

/** Whether the bucket is there; the region that it says it is in. */
export const headBucket = (calls: BucketCalls) =>
	calls.call({
		operation: 'HeadBucket',
		action: `use bucket "${calls.bucket}"`,
		send: (client, options) => client.send(new HeadBucketCommand({Bucket: calls.bucket}), options),
	});

/** Tags need a permission of their own (s3:TagResource), and a server may not know the region by its name. */
const canBeSimpler = (error: unknown): error is StoreError =>
	isStoreError(error, 'accessDenied', 'invalidRequest', 'notImplemented') &&
	error.s3Code !== 'TooManyBuckets' &&
	error.s3Code !== 'InvalidBucketName';
