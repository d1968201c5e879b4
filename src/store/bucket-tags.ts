import {GetBucketTaggingCommand, PutBucketTaggingCommand, type Tag} from '@aws-sdk/client-s3';
import {isStoreError} from '../model/store-error.ts';
import type {BucketCalls} from './bucket-calls.ts';

/** Where the first mount came from. */
export type CreatedFor = {
	readonly namespace?: string | undefined;
	readonly cluster?: string | undefined;
	readonly volume?: string | undefined;
};

/**
The tags that say who made a bucket, and how far it is: `pnx-volume:provisioning` is `pending` from its creation until
its last setting is in place. Only a bucket with that tag is ever completed; every other one is used as it is.
*/
const createdByTag = 'pnx-volume:created-by';
const stateTag = 'pnx-volume:provisioning';
const namespaceTag = 'pnx-volume:namespace';
const clusterTag = 'pnx-volume:cluster';
const volumeTag = 'pnx-volume:volume';

/** Amazon S3 User Guide, "Using cost allocation S3 bucket tags". */
const tagValueLengthMax = 256;

export const toNewTags = ({namespace, cluster, volume}: CreatedFor): Tag[] => [
	{Key: createdByTag, Value: 'pnx-volume'},
	{Key: stateTag, Value: 'pending'},
	...(namespace === undefined ? [] : [{Key: namespaceTag, Value: toTagValue(namespace)}]),
	...(cluster === undefined ? [] : [{Key: clusterTag, Value: toTagValue(cluster)}]),
	...(volume === undefined ? [] : [{Key: volumeTag, Value: toTagValue(volume)}]),
];

/** Whether we made the bucket for this namespace of this cluster; of no named cluster, where none is given. */
export const isMadeFor = (
	tags: readonly Tag[],
	{namespace, cluster}: {readonly namespace: string; readonly cluster?: string | undefined},
): boolean => {
	const valueOf = (key: string): string | undefined => tags.find(({Key}) => Key === key)?.Value;
	return (
		valueOf(createdByTag) === 'pnx-volume' && valueOf(namespaceTag) === namespace && valueOf(clusterTag) === cluster
	);
};

/** How far the creation of a bucket by us is; `undefined` when it was not us. */
export const findState = (tags: readonly Tag[]): 'pending' | 'done' | undefined => {
	const isOurs = tags.some(({Key, Value}) => Key === createdByTag && Value === 'pnx-volume');
	const state = tags.find(({Key}) => Key === stateTag)?.Value;
	return isOurs && (state === 'pending' || state === 'done') ? state : undefined;
};

/** The tags of a bucket; whatever keeps them from being read is an error. */
export const requestTags = async (calls: BucketCalls): Promise<readonly Tag[]> => {
	try {
		const {TagSet} = await calls.call({
			operation: 'GetBucketTagging',
			action: `read the tags of bucket "${calls.bucket}"`,
			send: (client, options) => client.send(new GetBucketTaggingCommand({Bucket: calls.bucket}), options),
		});
		return TagSet ?? [];
	} catch (error) {
		if (isStoreError(error) && error.s3Code === 'NoSuchTagSet') {
			return [];
		}

		throw error;
	}
};

/** The tags of a bucket: none, too, when these credentials may not read them or the server knows no tags. */
export const readTags = async (calls: BucketCalls): Promise<readonly Tag[]> => {
	try {
		return await requestTags(calls);
	} catch (error) {
		if (isStoreError(error, 'accessDenied', 'invalidRequest', 'noSuchBucket', 'notFound', 'notImplemented')) {
			return [];
		}

		throw error;
	}
};

/** Adds to the tags that are there and replaces none but the state. Nothing is sent when nothing changes. */
export const addTags = async (
	calls: BucketCalls,
	{current, state, createdFor}: {current: readonly Tag[]; state: 'pending' | 'done'; createdFor: CreatedFor},
): Promise<readonly Tag[]> => {
	const kept = current.filter(({Key}) => Key !== stateTag);
	const missing = toNewTags(createdFor).filter(({Key}) => Key !== stateTag && !kept.some(tag => tag.Key === Key));
	const TagSet = [...kept, ...missing, {Key: stateTag, Value: state}];
	if (missing.length > 0 || current.find(({Key}) => Key === stateTag)?.Value !== state) {
		await calls.call({
			operation: 'PutBucketTagging',
			action: `tag bucket "${calls.bucket}"`,
			send: (client, options) =>
				client.send(new PutBucketTaggingCommand({Bucket: calls.bucket, Tagging: {TagSet}}), options),
		});
	}

	return TagSet;
};

const toTagValue = (text: string): string =>
	text.replaceAll(/[^\p{L}\p{N} +\-=._:/@]/gu, '_').slice(0, tagValueLengthMax);
