import type {Tag} from '@aws-sdk/client-s3';
import {setTimeout as delay} from 'node:timers/promises';
import {isStoreError, StoreError} from '../model/store-error.ts';
import type {VolumeRule} from '../model/volume-rule.ts';
import type {BucketCalls} from './bucket-calls.ts';
import {addTags, isMadeFor, requestTags, type CreatedFor} from './bucket-tags.ts';

/** Longer than a node takes from reading the tags of a new bucket to having written its own. */
const settleMs = 500;

/** How often a bucket that another node has just made is asked for its tags. */
const lookCountMax = 4;

/**
The tags of a bucket for a decision on them: unlike `readTags`, what cannot be read is a refusal. None where there is no
bucket, or where it has no tags.
*/
export const readTagsStrictly = async (calls: BucketCalls, rule: VolumeRule): Promise<readonly Tag[]> => {
	try {
		return await requestTags(calls);
	} catch (error) {
		if (isStoreError(error, 'noSuchBucket')) {
			return [];
		}

		if (isStoreError(error, 'accessDenied', 'invalidRequest', 'notFound', 'notImplemented')) {
			const advice =
				error.code === 'accessDenied'
					? 'allow s3:GetBucketTagging, or'
					: 'this server does not support tags of buckets:';
			throw new StoreError(
				'accessDenied',
				`Cannot use bucket "${calls.bucket}": its tags, which name its owner, cannot be read; ${advice} ${toAdvice(rule)}`,
				{cause: error},
			);
		}

		throw error;
	}
};

/**
Throws when the tags do not say that we made the bucket for the rule's namespace. Whose it is instead is not for the
author of a pod to know.
*/
export const assertOwned = (calls: BucketCalls, tags: readonly Tag[], rule: VolumeRule): void => {
	const {ownedBy, cluster} = rule;
	if (ownedBy !== undefined && !isMadeFor(tags, {namespace: ownedBy.namespace, cluster})) {
		throw new StoreError(
			'accessDenied',
			`Cannot use bucket "${calls.bucket}": it exists, but its tags do not say that pnx-volume made it for namespace "${ownedBy.namespace}"${cluster === undefined ? '' : ` of cluster "${cluster}"`}. Choose another name, give the volume a secretRef, or ${toAdvice(rule)}`,
		);
	}
};

/**
Makes sure that a bucket that was just created is this namespace's, whoever else tried to create it at the same time.
A server that creates buckets with their tags has decided already. On others, the one who writes its tags last wins;
who finds its own still there after a while may use it.
*/
export const claimBucket = async (
	calls: BucketCalls,
	rule: VolumeRule,
	{isNew, createdFor}: {isNew: boolean; createdFor: CreatedFor},
): Promise<void> => {
	let tags = await readTagsStrictly(calls, rule);
	if (isNew && tags.length === 0) {
		await addTags(calls, {current: tags, state: 'pending', createdFor});
		await delay(settleMs);
		tags = await readTagsStrictly(calls, rule);
	}

	// Another node has created it, and may not have come to tagging it yet.
	for (let count = 1; tags.length === 0 && count < lookCountMax; count++) {
		await delay(settleMs);
		tags = await readTagsStrictly(calls, rule);
	}

	assertOwned(calls, tags, rule);
};

const toAdvice = ({ownedBy}: VolumeRule): string => ownedBy?.remedy ?? 'open it in the node policy (docs/POLICY.md)';
