import assert from 'node:assert/strict';
import {isStoreError, StoreError} from '../model/store-error.ts';
import {assertRange} from './key-rules.ts';
import type {GetRequest, GetResult, ListPage, ListRequest, ObjectHead} from './object-store.ts';
import {readBody} from './s3-body.ts';
import type {S3Request} from './s3-connection.ts';
import {parseListing} from './s3-listing.ts';
import {toObjectHead, wholeCrc32Of} from './s3-object-head.ts';
import type {CallOptions, S3Scope} from './s3-scope.ts';

/** HEAD, GET and LIST. */
export class S3Reads {
	readonly #scope: S3Scope;

	constructor(scope: S3Scope) {
		this.#scope = scope;
	}

	async head(key: string, {signal}: CallOptions = {}): Promise<ObjectHead | undefined> {
		const request = {
			operation: 'HeadObject',
			action: `look up "${key}"`,
			method: 'HEAD',
			key: this.#scope.toKey(key),
			signal,
		} as const;
		try {
			const {headers} = await this.#scope.connection.send(request);
			return toObjectHead(key, headers);
		} catch (error) {
			if (isStoreError(error, 'notFound')) {
				return undefined;
			}

			throw await this.#explainHead(request, error);
		}
	}

	async get(key: string, {range, ifMatch, versionId, signal}: GetRequest = {}): Promise<GetResult | undefined> {
		if (range !== undefined) {
			assertRange(key, range);
		}

		const action = `read "${key}"`;
		const answer = await this.#scope.sendUnlessAbsent(
			{
				operation: 'GetObject',
				action,
				signal,
				method: 'GET',
				key: this.#scope.toKey(key),
				query: {versionId},
				answerBody: 'stream',
				// S3 keeps a checksum of the whole object: it is of no use for a part of it.
				headers: {
					'if-match': ifMatch,
					...(range === undefined
						? {'x-amz-checksum-mode': 'ENABLED'}
						: {range: `bytes=${range.start}-${range.end - 1}`}),
				},
			},
			{isVersion: versionId !== undefined},
		);
		if (answer?.stream === undefined) {
			return undefined;
		}

		const {headers, stream} = answer;
		const object = toObjectHead(key, headers);
		const announcedBytes = Number(headers['content-length'] ?? Number.NaN);
		if (range !== undefined && announcedBytes !== range.end - range.start) {
			stream.destroy();
			throw new StoreError(
				'invalidRequest',
				`Cannot ${action} from byte ${range.start} to ${range.end}: the server has ${announcedBytes} bytes there, and ${object.sizeBytes} in all`,
			);
		}

		const expectedCrc32 = range === undefined ? wholeCrc32Of(headers) : undefined;
		const body = readBody(stream, {
			action,
			signal,
			expectedCrc32,
			freesPieces: true,
			silenceMs: this.#scope.connection.silenceMs,
			expectedBytes: Number.isNaN(announcedBytes) ? undefined : announcedBytes,
		});
		return {object, body, isChecked: expectedCrc32 !== undefined};
	}

	async list({
		prefix,
		delimiter,
		startAfter,
		continuationToken,
		countMax = 1000,
		signal,
	}: ListRequest): Promise<ListPage> {
		assert(countMax >= 1 && countMax <= 1000, `A page has 1 to 1000 entries: current value is ${countMax}`);
		const {text} = await this.#scope.connection.send({
			operation: 'ListObjectsV2',
			action: `list "${prefix}"`,
			method: 'GET',
			signal,
			query: {
				'list-type': '2',
				'encoding-type': 'url',
				'max-keys': String(countMax),
				prefix: this.#scope.keyPrefix + prefix,
				delimiter,
				'continuation-token': continuationToken,
				'start-after':
					startAfter === undefined || continuationToken !== undefined ? undefined : this.#scope.keyPrefix + startAfter,
			},
		});
		return parseListing(text, this.#scope.keyPrefix);
	}

	/**
	HEAD is refused without a reason; the same question as a GET of one byte has one. If GET is answered, what was wrong
	is over (credentials that were just renewed), and HEAD may be tried again: nobody may take it for a refusal for good.
	*/
	async #explainHead(request: S3Request, error: unknown): Promise<unknown> {
		if (!isStoreError(error, 'accessDenied', 'invalidRequest') || error.s3Code !== undefined) {
			return error;
		}

		try {
			await this.#scope.connection.send({...request, method: 'GET', headers: {range: 'bytes=0-0'}});
		} catch (explained) {
			if (!isStoreError(explained, 'notFound') && !(isStoreError(explained) && explained.status === 416)) {
				const isUnexplained = isStoreError(explained, error.code) && explained.s3Code === undefined;
				return isUnexplained ? error : explained;
			}
		}

		return new StoreError(
			'unavailable',
			`Cannot ${request.action}: the server refused HEAD and gave no reason, and did not refuse GET just after`,
			{cause: error, ...(error.status === undefined ? {} : {status: error.status})},
		);
	}
}
