import {headerOf, type Action} from '../call.ts';
import {assertIfMatch} from '../conditions.ts';
import {newVersionId, toWholeSecondsMs} from '../new-version.ts';
import {assertVersionId} from '../object-answer.ts';
import type {StoredBucket} from '../storage/stored-bucket.ts';
import type {StoredChange} from '../storage/stored-state.ts';

/** What a deletion will do, and what it says of it. */
export type PlannedDelete = {
	readonly changes: readonly StoredChange[];
	/** The version that is removed, or the delete marker that is left. */
	readonly versionId?: string | undefined;
	readonly isMarker: boolean;
};

export const deleteObject: Action = call => {
	const {
		storage,
		target: {bucket: name, key, query},
		nowMs,
	} = call;
	const bucket = storage.bucket(name);
	const versionId = query.get('versionId');
	const ifMatch = call.faults.ignoresConditions ? undefined : headerOf(call, 'if-match');
	const planned = planDelete(bucket, {key, versionId, ifMatch, nowMs});
	storage.commit(...planned.changes);
	return {
		status: 204,
		headers: {
			...(planned.versionId === undefined ? {} : {'x-amz-version-id': planned.versionId}),
			...(planned.isMarker ? {'x-amz-delete-marker': 'true'} : {}),
		},
	};
};

/**
Without a version id: removes the object, or hides it behind a delete marker when versioning was ever turned on.
With one: removes that version for good. Deleting what is not there succeeds.
*/
export const planDelete = (
	bucket: StoredBucket,
	request: {key: string; versionId?: string | undefined; ifMatch?: string | undefined; nowMs: number},
): PlannedDelete => {
	const {key, versionId, ifMatch, nowMs} = request;
	const version = versionId === undefined ? bucket.newest(key) : bucket.version(key, versionId);
	if (ifMatch !== undefined) {
		assertIfMatch(ifMatch, version?.kind === 'object' ? version : undefined, key);
	}

	if (versionId !== undefined) {
		if (version === undefined) {
			assertVersionId(versionId);
		}

		const changes: StoredChange[] =
			version === undefined ? [] : [{op: 'dropVersion', bucket: bucket.name, key, versionId}];
		return {changes, versionId, isMarker: version?.kind === 'marker'};
	}

	if (bucket.versioning === '') {
		return {
			changes:
				version === undefined ? [] : [{op: 'dropVersion', bucket: bucket.name, key, versionId: version.versionId}],
			isMarker: false,
		};
	}

	const marker = {kind: 'marker', versionId: newVersionId(bucket), lastModifiedMs: toWholeSecondsMs(nowMs)} as const;
	return {
		changes: [{op: 'version', bucket: bucket.name, key, version: marker}],
		versionId: marker.versionId,
		isMarker: true,
	};
};
