import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {forEachParallel} from '../model/semaphore.ts';
import {isStoreError, StoreError} from '../model/store-error.ts';
import type {DeletedObject} from './object-store.ts';
import {isBatchKey, sendDeleteObjects, type FailedKey} from './s3-delete-many.ts';
import type {S3Answer} from './s3-connection.ts';
import {toObjectHead} from './s3-object-head.ts';
import type {CallOptions, S3Scope} from './s3-scope.ts';
import {findXmlText} from './s3-xml.ts';
import {hasMarks} from './version-marks.ts';

/** How many single calls run at once. */
const singleCallCountMax = 16;

/** No object has this etag. */
const impossibleEtag = '00000000000000000000000000000000';

/** Says that there is no object. */
const absence: S3Answer = {status: 404, headers: {}, text: ''};

const probeAction = 'find out whether the server deletes on a condition';

/**
DeleteObject and DeleteObjects. Where the server does not know their conditions (Ceph 16), each object is looked up just
before it is deleted.
*/
export class S3Deletions {
	readonly #scope: S3Scope;
	#knowsIfMatch: Promise<boolean> | undefined;
	#knowsEtags: Promise<boolean> | undefined;

	constructor(scope: S3Scope) {
		this.#scope = scope;
	}

	async delete(
		key: string,
		{
			ifMatch: etag,
			marks,
			signal,
			mayBeDone = false,
		}: CallOptions & {
			ifMatch?: string | undefined;
			marks?: DeletedObject['marks'];
			/** An earlier call may have deleted it. */
			mayBeDone?: boolean;
		} = {},
	): Promise<void> {
		const storedKey = this.#scope.toKey(key);
		const findDone = async (timeoutMs?: number) => this.#findDone({key, etag, marks}, {timeoutMs, signal});
		if (mayBeDone && (await findDone()) !== undefined) {
			return;
		}

		let condition = etag;
		if (etag !== undefined && !(await this.isConditional())) {
			condition = undefined;
			if (!(await this.#isStill(key, etag, signal))) {
				return;
			}
		}

		await this.#scope.sendUnlessAbsent({
			operation: 'DeleteObject',
			action: `delete "${key}"`,
			method: 'DELETE',
			key: storedKey,
			headers: {'if-match': condition},
			signal,
			isConflictRetriable: true,
			confirm: async () => findDone(),
			beforeRetry: etag === undefined ? undefined : findDone,
		});
	}

	async deleteMany(objects: readonly DeletedObject[], {signal}: CallOptions = {}): Promise<FailedKey[]> {
		assert(objects.length <= 1000, `deleteMany() takes up to 1000 keys: current count is ${objects.length}`);
		const failed: FailedKey[] = [];
		let batch = objects.filter(({key}) => isBatchKey(key));
		if (batch.some(({etag}) => etag !== undefined) && !(await this.#isBatchConditional())) {
			batch = await this.#withoutEtags(batch, failed, signal);
		}

		const stored = new Map(batch.map(object => [this.#scope.toKey(object.key), object]));
		const {failed: refused, isLost} = await sendDeleteObjects(
			this.#scope.connection,
			[...stored].map(([key, {etag}]) => ({key, etag})),
			{signal, isSafeToRepeat: objects.every(({etag}) => etag === undefined)},
		);
		const again: DeletedObject[] = objects.filter(({key}) => !isBatchKey(key));
		if (isLost) {
			const deleted = new Set(batch.map(({key}) => key));
			again.push(...objects.filter(({key}) => deleted.has(key)));
		}

		for (const {key, error} of refused) {
			const object = stored.get(key) ?? {key: key.slice(this.#scope.keyPrefix.length)};
			// What failed for now is tried again by its own call, which has the pauses.
			if (error.isTransient || error.s3Code === 'ConditionalRequestConflict') {
				again.push(object);
			} else if (error.code !== 'notFound') {
				failed.push({key: object.key, error});
			}
		}

		await this.#each(again, failed, async ({key, etag, marks}) =>
			this.delete(key, {ifMatch: etag, marks, signal, mayBeDone: isLost && etag !== undefined}),
		);
		return failed;
	}

	/** For a batch on a server that would ignore the etags: the objects that have them still, now without a condition. */
	async #withoutEtags(
		batch: readonly DeletedObject[],
		failed: FailedKey[],
		signal: AbortSignal | undefined,
	): Promise<DeletedObject[]> {
		const present: DeletedObject[] = [];
		await this.#each(batch, failed, async ({key, etag}) => {
			if (etag === undefined || (await this.#isStill(key, etag, signal))) {
				present.push({key});
			}
		});
		return present;
	}

	/** Whether the key has this etag; `false` when there is nothing, a failure when there is something else. */
	async #isStill(key: string, etag: string, signal: AbortSignal | undefined): Promise<boolean> {
		const answer = await this.#scope.findLeft(this.#scope.toKey(key), {signal});
		if (answer !== undefined && toObjectHead(key, answer.headers).etag !== etag) {
			throw new StoreError('preconditionFailed', `Cannot delete "${key}": it changed meanwhile`);
		}

		return answer !== undefined;
	}

	/**
	After an attempt whose answer was lost: `undefined` when the version that was to go is still there. Otherwise that
	attempt has deleted it, or another version replaced it before, and what is there now must stay.
	*/
	async #findDone(
		{key, etag, marks}: DeletedObject,
		options: CallOptions & {timeoutMs?: number | undefined},
	): Promise<S3Answer | undefined> {
		const left = await this.#scope.findLeft(this.#scope.toKey(key), options);
		if (left === undefined) {
			return absence;
		}

		const head = toObjectHead(key, left.headers);
		if (etag === undefined || (head.etag === etag && marks === undefined)) {
			return undefined;
		}

		const known = typeof marks === 'function' ? await marks() : (marks ?? {});
		return head.etag === etag && hasMarks(head, known) ? undefined : left;
	}

	/** Whether the server knows the condition of DeleteObject. Asked once, when it is first needed. */
	async isConditional(): Promise<boolean> {
		this.#knowsIfMatch ??= this.#probe(async key => {
			const {headers} = await this.#scope.connection.send({
				operation: 'DeleteObject',
				action: probeAction,
				method: 'DELETE',
				key,
				headers: {'if-match': impossibleEtag},
			});
			return headers['x-amz-version-id'];
		}).catch((error: unknown) => {
			this.#knowsIfMatch = undefined;
			throw error;
		});
		return this.#knowsIfMatch;
	}

	/** As `isConditional`: some servers know the one and not the other. */
	async #isBatchConditional(): Promise<boolean> {
		this.#knowsEtags ??= this.#probe(async key => {
			const {failed, text} = await sendDeleteObjects(this.#scope.connection, [{key, etag: impossibleEtag}], {
				isQuiet: false,
				isSafeToRepeat: true,
			});
			if (failed[0] !== undefined) {
				throw failed[0].error;
			}

			return findXmlText(text, 'DeleteMarkerVersionId');
		}).catch((error: unknown) => {
			this.#knowsEtags = undefined;
			throw error;
		});
		return this.#knowsEtags;
	}

	/**
	Whether the server refuses to delete a key that does not exist, on a condition that cannot hold. `ask` resolves when
	it does not: to the delete marker that it left in a bucket with versions, which goes again.
	*/
	async #probe(ask: (key: string) => Promise<string | string[] | undefined>): Promise<boolean> {
		const key = this.#scope.toKey(randomUUID());
		try {
			const versionId = await ask(key);
			if (typeof versionId === 'string' && versionId !== 'null') {
				await this.#scope.sendUnlessAbsent({
					operation: 'DeleteObject',
					action: probeAction,
					method: 'DELETE',
					key,
					query: {versionId},
				});
			}

			return false;
		} catch (error) {
			if (isStoreError(error, 'notImplemented', 'invalidRequest')) {
				return false;
			}

			// Who may not delete this key is told so when it deletes what it means to.
			if (isStoreError(error, 'preconditionFailed', 'notFound', 'accessDenied')) {
				return true;
			}

			throw error;
		}
	}

	async #each(
		objects: readonly DeletedObject[],
		failed: FailedKey[],
		call: (object: DeletedObject) => Promise<void>,
	): Promise<void> {
		await forEachParallel(objects, singleCallCountMax, async object => {
			try {
				await call(object);
			} catch (error) {
				if (!isStoreError(error) || error.code === 'aborted') {
					throw error;
				}

				failed.push({key: object.key, error});
			}
		});
	}
}
