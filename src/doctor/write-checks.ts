import {randomUUID} from 'node:crypto';
import {isStoreError} from '../model/store-error.ts';
import type {Check} from './check.ts';
import type {ObjectStore} from '../store/object-store.ts';
import {toFailedCheck} from './store-remedy.ts';

export type WriteChecks = {readonly write: Check; readonly conditions: Check};

/** What became of a write under `If-None-Match: *`. */
export type ConditionalWrite = 'stored' | 'refused';

const text = 'written by pnx-volume doctor, which deletes it at once\n';

/**
Writes, reads and deletes one object of its own below the prefix, and sees whether writes can be made conditional.
*/
export const checkWrites = async (store: ObjectStore): Promise<WriteChecks> => {
	const key = `.pnx-volume-doctor-${randomUUID()}`;
	const checks = await writeAndRead(store, key);
	try {
		// Also after a failure: the answer may have been lost after the object was stored.
		await store.delete(key);
		return checks;
	} catch (error) {
		return checks.write.status === 'ok'
			? {...checks, write: addRemains(toFailedCheck('bucket-write', error), key)}
			: checks;
	}
};

const addRemains = (check: Check, key: string): Check => ({...check, found: `${check.found}; the object ${key} stays`});

const writeAndRead = async (store: ObjectStore, key: string): Promise<WriteChecks> => {
	try {
		const whenAbsent = await putIfAbsent(store, key);
		if (whenAbsent === 'refused') {
			await store.put(key, Buffer.from(text));
		}

		const whenThere = whenAbsent === 'stored' ? await putIfAbsent(store, key) : 'refused';
		const content = await readContent(store, key);
		const write: Check =
			content === text
				? {name: 'bucket-write', status: 'ok', found: 'an object can be written, read and deleted'}
				: {
						name: 'bucket-write',
						status: 'failed',
						found: `an object that was just written ${content === undefined ? 'is missing' : 'reads differently'}`,
						remedy: 'do not use this server: it is not consistent',
					};
		return {write, conditions: judgeConditions({whenAbsent, whenThere})};
	} catch (error) {
		return {
			write: toFailedCheck('bucket-write', error),
			conditions: {name: 'conditional-writes', status: 'skipped', found: 'no object can be written'},
		};
	}
};

const readContent = async (store: ObjectStore, key: string): Promise<string | undefined> => {
	const read = await store.get(key);
	if (read === undefined) {
		return undefined;
	}

	const pieces: Buffer[] = [];
	for await (const piece of read.body) {
		pieces.push(Buffer.from(piece)); // A copy: the piece is good until the next one only.
	}

	return Buffer.concat(pieces).toString();
};

const putIfAbsent = async (store: ObjectStore, key: string): Promise<ConditionalWrite> => {
	try {
		await store.put(key, Buffer.from(text), {ifNoneMatch: '*'});
		return 'stored';
	} catch (error) {
		if (isStoreError(error, 'preconditionFailed', 'notImplemented', 'invalidRequest')) {
			return 'refused';
		}

		throw error;
	}
};

/** A server that knows If-None-Match stores where nothing is, and refuses where something is. */
export const judgeConditions = ({
	whenAbsent,
	whenThere,
}: {
	whenAbsent: ConditionalWrite;
	whenThere: ConditionalWrite;
}): Check => {
	if (whenAbsent === 'stored' && whenThere === 'refused') {
		return {name: 'conditional-writes', status: 'ok', found: 'the server obeys If-None-Match'};
	}

	return {
		name: 'conditional-writes',
		status: 'warning',
		found: whenAbsent === 'refused' ? 'the server refuses If-None-Match' : 'the server ignores If-None-Match',
		remedy: 'upgrade the server, or do not count on exclusive creation (lock files, O_EXCL, mkdir) between nodes',
	};
};
