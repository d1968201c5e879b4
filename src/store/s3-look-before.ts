import {StoreError} from '../model/store-error.ts';
import type {CopySource, WriteCondition} from './object-store.ts';
import {toObjectHead} from './s3-object-head.ts';
import type {CallOptions, S3Scope} from './s3-scope.ts';

/**
For servers that ignore the conditions of copies and completions, as Ceph 16 does: a look just before refuses what they
should have refused. One that knows the conditions of deletions is taken to know these.
*/
export class S3LookBefore {
	readonly #scope: S3Scope;
	readonly #knowsConditions: () => Promise<boolean>;

	constructor(scope: S3Scope, {knowsConditions}: {knowsConditions: () => Promise<boolean>}) {
		this.#scope = scope;
		this.#knowsConditions = knowsConditions;
	}

	/** Fails with `preconditionFailed` when a write to the key would replace what its condition does not allow. */
	async assertCondition(key: string, {ifMatch, ifNoneMatch}: WriteCondition, options: CallOptions): Promise<void> {
		if ((ifMatch === undefined && ifNoneMatch === undefined) || (await this.#knowsConditions())) {
			return;
		}

		const etag = await this.#findEtag(key, options);
		if (etag !== ifMatch) {
			throw new StoreError('preconditionFailed', `Cannot write "${key}": it changed meanwhile`);
		}
	}

	/** The same for the source of a copy; one with a version cannot change. */
	async assertSource({key, etag, versionId}: CopySource, options: CallOptions): Promise<void> {
		if (etag === undefined || versionId !== undefined || (await this.#knowsConditions())) {
			return;
		}

		const current = await this.#findEtag(key, options);
		if (current !== undefined && current !== etag) {
			throw new StoreError('preconditionFailed', `Cannot copy "${key}": it changed meanwhile`);
		}
	}

	async #findEtag(key: string, {signal}: CallOptions): Promise<string | undefined> {
		const answer = await this.#scope.findLeft(this.#scope.toKey(key), {signal});
		return answer === undefined ? undefined : toObjectHead(key, answer.headers).etag;
	}
}
