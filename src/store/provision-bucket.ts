import {ListObjectsV2Command} from '@aws-sdk/client-s3';
import {checkBucketName} from '../model/bucket-name.ts';
import {isStoreError, StoreError} from '../model/store-error.ts';
import type {VolumeOptions} from '../model/volume-options.ts';
import type {VolumeRule} from '../model/volume-rule.ts';
import {BucketCalls} from './bucket-calls.ts';
import {planBucketSettings, type BucketSetting} from './bucket-settings.ts';
import {assertOwned, claimBucket, readTagsStrictly} from './bucket-ownership.ts';
import {addTags, findState, readTags, type CreatedFor} from './bucket-tags.ts';
import {createBucket, headBucket} from './create-bucket.ts';
import type {S3Credentials} from './s3-signer.ts';

export type ProvisionRequest = {
	readonly options: VolumeOptions;
	/** Absent: the SDK's default chain. */
	readonly credentials?: S3Credentials | undefined;
	readonly createdFor?: CreatedFor | undefined;
	/** What the node policy says; absent for whom it does not concern. */
	readonly rule?: VolumeRule | undefined;
	readonly signal?: AbortSignal | undefined;
	/** Called with what was done, and with what the server could not do. */
	readonly log?: ((message: string, fields: Readonly<Record<string, unknown>>) => void) | undefined;
};

export type ProvisionResult = {
	/** The bucket was not there before. */
	readonly created: boolean;
	/** The settings of an earlier, unfinished creation were completed. */
	readonly completed: boolean;
};

/** A mount answers within this time, whatever the server does. */
const deadlineMs = 14_000;

/**
Ensures that the bucket of a volume exists and may be used. A bucket that is there costs one round trip, and is
used as it is, unless we began to make it and did not finish. Where the rule asks for it, a bucket that is not the
namespace's own is a failure, and so are tags that cannot be read. May run on several nodes at once, and again after
a crash at any point. Failures are `StoreError`s for the author of the pod, within 15 seconds.
*/
export const provisionBucket = async ({
	options,
	credentials,
	createdFor: from = {},
	rule = {},
	signal,
	log = () => undefined,
}: ProvisionRequest): Promise<ProvisionResult> => {
	const wrongName = checkBucketName(options.name);
	if (wrongName !== undefined) {
		throw new StoreError('invalidRequest', `Cannot use the bucket: ${wrongName}`);
	}

	const {name: bucket, region, endpoint, pathStyle} = options;
	const mayChange = options.provision && !options.readOnly && rule.creationForbidden === undefined;
	const createdFor: CreatedFor = {
		...from,
		...(rule.ownedBy === undefined ? {} : {namespace: rule.ownedBy.namespace}),
		cluster: rule.cluster,
	};
	const calls = new BucketCalls(
		{bucket, region, endpoint, pathStyle, credentials, isLocalRefused: rule.isLocalEndpointRefused},
		{deadlineMs: Math.min(deadlineMs, options.timeoutMs), signal},
	);
	try {
		const {isThere, tags} = await look(calls, {isTagged: mayChange, rule});
		if (isThere) {
			assertOwned(calls, tags, rule);
		}

		if (isThere && (findState(tags) !== 'pending' || !mayChange)) {
			return {created: false, completed: false};
		}

		if (!isThere && !mayChange) {
			throw toAbsentError(options, rule);
		}

		const {isNew} = isThere ? {isNew: false} : await createBucket(calls, createdFor);
		if (!isThere && rule.ownedBy !== undefined) {
			await claimBucket(calls, rule, {isNew, createdFor});
		}

		if (!isThere && !isNew && findState(await readTags(calls)) === 'done') {
			return {created: false, completed: false}; // Another node made it while we tried to.
		}

		await applySettings(calls, {settings: planBucketSettings(options), createdFor, log});
		if (rule.ownedBy !== undefined) {
			assertOwned(calls, await readTagsStrictly(calls, rule), rule);
		}

		log(isNew ? 'bucket created' : 'bucket completed', {bucket, region, endpoint});
		return {created: isNew, completed: !isNew};
	} finally {
		calls.close();
	}
};

/** Both questions at once. When both fail, the bucket's failure is the one to tell. */
const look = async (
	calls: BucketCalls,
	{isTagged, rule}: {isTagged: boolean; rule: VolumeRule},
): Promise<{isThere: boolean; tags: Awaited<ReturnType<typeof readTags>>}> => {
	const read =
		rule.ownedBy === undefined
			? async () => (isTagged ? readTags(calls) : [])
			: async () => readTagsStrictly(calls, rule);
	const [isThere, tags] = await Promise.allSettled([isBucketThere(calls), read()]);
	if (isThere.status === 'rejected') {
		throw isThere.reason;
	}

	if (tags.status === 'rejected') {
		throw tags.reason;
	}

	return {isThere: isThere.value, tags: tags.value};
};

/** False when there is no such bucket; a `StoreError` with the reason when there is one that we cannot use. */
const isBucketThere = async (calls: BucketCalls): Promise<boolean> => {
	try {
		const {BucketRegion} = await headBucket(calls);
		if (calls.isAws && BucketRegion !== undefined && BucketRegion !== calls.region) {
			throw new StoreError(
				'wrongRegion',
				`Cannot use bucket "${calls.bucket}": it is in region ${BucketRegion}, not in ${calls.region}; set the option "region" to "${BucketRegion}"`,
				{region: BucketRegion},
			);
		}

		return true;
	} catch (error) {
		if (isStoreError(error, 'notFound', 'noSuchBucket')) {
			return false;
		}

		// HEAD is refused without a reason; a listing has one.
		if (isStoreError(error, 'accessDenied', 'invalidRequest') && error.s3Code === undefined) {
			await listOne(calls);
			return true;
		}

		throw error;
	}
};

const listOne = async (calls: BucketCalls): Promise<void> => {
	try {
		await calls.call({
			operation: 'ListObjectsV2',
			action: `use bucket "${calls.bucket}"`,
			send: (client, options) => client.send(new ListObjectsV2Command({Bucket: calls.bucket, MaxKeys: 1}), options),
		});
	} catch (error) {
		if (isStoreError(error, 'accessDenied')) {
			throw new StoreError(
				'accessDenied',
				`Cannot use bucket "${calls.bucket}": it belongs to another account, or these credentials may not use it; choose another bucket name, or allow s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject`,
				{
					cause: error,
					...(error.status === undefined ? {} : {status: error.status}),
					...(error.s3Code === undefined ? {} : {s3Code: error.s3Code}),
				},
			);
		}

		throw error;
	}
};

const toAbsentError = (
	{name, region, endpoint, readOnly}: VolumeOptions,
	{creationForbidden}: VolumeRule,
): StoreError => {
	const place = endpoint === '' ? `region ${region}` : endpoint;
	const advice =
		creationForbidden !== undefined
			? `the node policy does not let this namespace create buckets: have it created, or ${creationForbidden.remedy}`
			: readOnly
				? 'a read-only volume does not create it; mount it for writing once, or create it'
				: 'create it, or set the option "provision" to "true"';
	return new StoreError('noSuchBucket', `Cannot use bucket "${name}": it does not exist in ${place}; ${advice}`, {
		status: 404,
	});
};

type SettingsRequest = {
	readonly settings: readonly BucketSetting[];
	readonly createdFor: CreatedFor;
	readonly log: NonNullable<ProvisionRequest['log']>;
};

/**
The tag says `pending` before the first setting, and `done` after the last: a crash in between is seen, and made
good.
*/
const applySettings = async (calls: BucketCalls, {settings, createdFor, log}: SettingsRequest): Promise<void> => {
	const tag = async (state: 'pending' | 'done') => addTags(calls, {current: await readTags(calls), state, createdFor});
	const done = new Set<string>();
	const apply = async ({name, isAskedFor, apply: run}: BucketSetting): Promise<void> => {
		try {
			await run(calls, done);
			done.add(name);
		} catch (error) {
			if (isAskedFor || !isUnknownCall(calls, error)) {
				throw error;
			}

			log('the server does not know a setting of the bucket', {bucket: calls.bucket, setting: name, err: error});
		}
	};

	await apply({name: 'tags', isAskedFor: false, apply: () => tag('pending')});
	for (const setting of settings) {
		await apply(setting);
	}

	await apply({name: 'tags', isAskedFor: false, apply: () => tag('done')});
};

/** Small servers answer a call that they do not know with all kinds of refusals; Amazon knows them all. */
const isUnknownCall = (calls: BucketCalls, error: unknown): boolean =>
	isStoreError(error, 'notImplemented') || (!calls.isAws && isStoreError(error, 'invalidRequest', 'notFound'));
