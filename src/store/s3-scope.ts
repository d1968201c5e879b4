import assert from 'node:assert/strict';
import {isStoreError, StoreError} from '../model/store-error.ts';
import {BodyChecksums} from './body-checksums.ts';
import {assertKeyLength} from './key-rules.ts';
import type {CopySource, WriteCondition} from './object-store.ts';
import type {S3Answer, S3Connection, S3Request} from './s3-connection.ts';
import {encodeKey, encodeUri} from './s3-signer.ts';

export type CallOptions = {readonly signal?: AbortSignal | undefined};

/** What every kind of call on objects needs: one bucket below one prefix, which callers never see. */
export class S3Scope {
	readonly connection: S3Connection;
	/** Empty, or ending in a slash. */
	readonly keyPrefix: string;
	readonly bodyChecksums: BodyChecksums;
	readonly #bucket: string;

	constructor(
		connection: S3Connection,
		{bucket, keyPrefix, isEncrypted}: {bucket: string; keyPrefix: string; isEncrypted: boolean},
	) {
		assert(
			keyPrefix === '' || keyPrefix.endsWith('/'),
			`A key prefix must end in a slash: current value is "${keyPrefix}"`,
		);
		this.connection = connection;
		this.bodyChecksums = new BodyChecksums({isEncrypted});
		this.#bucket = bucket;
		this.keyPrefix = keyPrefix;
	}

	/** The key as the bucket has it. */
	toKey(key: string): string {
		assert(key !== '', 'A key must not be empty');
		const storedKey = this.keyPrefix + key;
		assertKeyLength(storedKey);
		if (!storedKey.isWellFormed()) {
			throw new StoreError(
				'invalidRequest',
				`Cannot use key ${JSON.stringify(key)}: it holds half a character, which UTF-8 cannot express`,
			);
		}

		return storedKey;
	}

	toSourceHeaders({key, etag, versionId}: CopySource): Record<string, string | undefined> {
		const version = versionId === undefined ? '' : `?versionId=${encodeUri(versionId)}`;
		return {
			'x-amz-copy-source': `/${this.#bucket}/${encodeKey(this.toKey(key))}${version}`,
			'x-amz-copy-source-if-match': etag,
		};
	}

	/**
	The answer, or `undefined` when there is no such object, version or upload. A delete marker is refused with 405.
	*/
	async sendUnlessAbsent(
		request: S3Request,
		{isVersion = false}: {isVersion?: boolean} = {},
	): Promise<S3Answer | undefined> {
		try {
			return await this.connection.send(request);
		} catch (error) {
			if (isStoreError(error, 'notFound') || (isVersion && isStoreError(error) && error.status === 405)) {
				return undefined;
			}

			throw error;
		}
	}

	/** The head of what a call left, for one whose answer was lost. */
	async findLeft(
		storedKey: string,
		{signal, timeoutMs}: CallOptions & {timeoutMs?: number | undefined},
	): Promise<S3Answer | undefined> {
		return this.sendUnlessAbsent({
			operation: 'HeadObject',
			action: 'look up what was written',
			method: 'HEAD',
			key: storedKey,
			timeoutMs,
			signal,
		});
	}

	/** The head of an object that is there and is ours. */
	async findWritten(
		{storedKey, signal}: {storedKey: string} & CallOptions,
		isOurs: (headers: S3Answer['headers']) => boolean | Promise<boolean>,
	): Promise<S3Answer | undefined> {
		const answer = await this.findLeft(storedKey, {signal});
		return answer !== undefined && (await isOurs(answer.headers)) ? answer : undefined;
	}
}

/** Etags go without quotes: every server takes that, and Ceph RGW 16 compares them literally. */
export const toConditionHeaders = ({ifMatch, ifNoneMatch}: WriteCondition): Record<string, string | undefined> => ({
	'if-match': ifMatch,
	'if-none-match': ifNoneMatch,
});
