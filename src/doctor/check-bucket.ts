import {toKeyPrefix} from '../model/object-key.ts';
import {isStoreError} from '../model/store-error.ts';
import type {VolumeOptions} from '../model/volume-options.ts';
import type {Check} from './check.ts';
import {BucketCalls} from '../store/bucket-calls.ts';
import {findState, readTags} from '../store/bucket-tags.ts';
import {provisionBucket} from '../store/provision-bucket.ts';
import {createS3ObjectStore} from '../store/s3-object-store.ts';
import {checkCredentials} from './credentials-check.ts';
import {checkEndpoint} from './endpoint-checks.ts';
import {toFailedCheck} from './store-remedy.ts';
import {checkWrites} from './write-checks.ts';

/** A person waits at the terminal, so this is shorter than for a mount. */
const callMsMax = 10_000;

/** Asks the server of a volume, with the credentials of this process. Changes nothing without `isWriteTried`. */
export const checkBucket = async (volume: VolumeOptions, {isWriteTried}: {isWriteTried: boolean}): Promise<Check[]> => {
	const options: VolumeOptions = {...volume, timeoutMs: Math.min(volume.timeoutMs, callMsMax)};
	const [credentials, {endpoint, clock}] = await Promise.all([checkCredentials(options), checkEndpoint(options)]);
	const reason =
		credentials.status === 'failed'
			? 'there are no credentials'
			: endpoint.status === 'failed'
				? 'the endpoint does not answer'
				: undefined;
	const bucket = reason === undefined ? await checkPresence(options) : {check: skip('bucket', reason), isThere: false};
	const objects = bucket.isThere
		? await checkObjects(options, {isWriteTried})
		: skipObjects(reason ?? 'the bucket cannot be used');
	return [credentials, endpoint, bucket.check, objects.list, objects.write, clock, objects.conditions];
};

const skip = (name: string, found: string): Check => ({name, status: 'skipped', found});

type ObjectChecks = {readonly list: Check; readonly write: Check; readonly conditions: Check};

const skipObjects = (reason: string): ObjectChecks => ({list: skip('bucket-list', reason), ...skipWrites(reason)});

const skipWrites = (reason: string): Omit<ObjectChecks, 'list'> => ({
	write: skip('bucket-write', reason),
	conditions: skip('conditional-writes', reason),
});

const checkPresence = async (options: VolumeOptions): Promise<{check: Check; isThere: boolean}> => {
	const {name, region, endpoint, pathStyle, timeoutMs} = options;
	try {
		await provisionBucket({options: {...options, provision: false}});
	} catch (error) {
		const isMadeLater = isStoreError(error, 'noSuchBucket') && options.provision && !options.readOnly;
		const check: Check = isMadeLater
			? {
					name: 'bucket',
					status: 'warning',
					found: `"${name}" does not exist yet`,
					remedy:
						'the first mount creates it, and "pnx-volume provision" does so now; if it should exist already, check its name, --endpoint and --region',
				}
			: toFailedCheck('bucket', error);
		return {check, isThere: false};
	}

	const calls = new BucketCalls({bucket: name, region, endpoint, pathStyle}, {deadlineMs: timeoutMs});
	try {
		return {check: judgeOrigin(name, findState(await readTags(calls))), isThere: true};
	} catch (error) {
		return {check: toFailedCheck('bucket', error), isThere: true};
	} finally {
		calls.close();
	}
};

/** `state`: how far its creation by us is; `undefined` when it was somebody else's. */
export const judgeOrigin = (name: string, state: 'pending' | 'done' | undefined): Check =>
	state === 'pending'
		? {
				name: 'bucket',
				status: 'warning',
				found: `"${name}" was created by pnx-volume, but some of its settings are missing`,
				remedy: `run "pnx-volume provision ${name}", or mount the volume: both make the missing settings`,
			}
		: {
				name: 'bucket',
				status: 'ok',
				found: `"${name}" exists and may be used; ${state === 'done' ? 'pnx-volume created it' : 'it was not created by pnx-volume, which leaves its settings as they are'}`,
			};

const checkObjects = async (options: VolumeOptions, {isWriteTried}: {isWriteTried: boolean}): Promise<ObjectChecks> => {
	const {name: bucket, prefix, region, endpoint, pathStyle, timeoutMs, readOnly} = options;
	const store = createS3ObjectStore({bucket, keyPrefix: toKeyPrefix(prefix), region, endpoint, pathStyle, timeoutMs});
	try {
		const {objects, prefixes} = await store.list({prefix: '', delimiter: '/', countMax: 1});
		const isEmpty = objects.length + prefixes.length === 0;
		const list: Check = {
			name: 'bucket-list',
			status: 'ok',
			found: `it can be listed; ${prefix === '' ? 'the bucket' : `prefix "${prefix}"`} ${isEmpty ? 'is empty' : 'has objects'}`,
		};
		if (!isWriteTried || readOnly) {
			return {list, ...skipWrites(readOnly ? 'the volume is read-only' : 'give --write to try it')};
		}

		return {list, ...(await checkWrites(store))};
	} catch (error) {
		return {list: toFailedCheck('bucket-list', error), ...skipWrites('the bucket cannot be listed')};
	} finally {
		await store.close();
	}
};
