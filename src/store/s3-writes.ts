import {crcOfRange, formatBlockSums, sumBody} from './block-sums.ts';
import {assertCopy} from './key-rules.ts';
import {assertMetadata} from './metadata-rules.ts';
import type {CopyRequest, CopySource, ObjectHead, PutRequest, PutResult, WriteCondition} from './object-store.ts';
import {toCopyConfirmation} from './s3-copy-confirmation.ts';
import type {S3LookBefore} from './s3-look-before.ts';
import {isWrittenBy, toAttributeHeaders, toObjectHead, toPutResult} from './s3-object-head.ts';
import {type S3Scope, toConditionHeaders} from './s3-scope.ts';
import {createWriteId} from './version-marks.ts';
import {crcOf, toPieces, type WriteBody} from './write-body.ts';

/** Objects that one request makes. */
export class S3Writes {
	readonly #scope: S3Scope;
	readonly #lookBefore: S3LookBefore;

	constructor(scope: S3Scope, lookBefore: S3LookBefore) {
		this.#scope = scope;
		this.#lookBefore = lookBefore;
	}

	async put(key: string, body: WriteBody, request: PutRequest = {}): Promise<PutResult> {
		assertMetadata(request.metadata);
		const writeId = request.writeId ?? toWriteId(request);
		const storedKey = this.#scope.toKey(key);
		const sums = sumBody(body);
		const blockSums = sums === undefined ? undefined : formatBlockSums(sums);
		const answer = await this.#scope.connection.send({
			operation: 'PutObject',
			action: `write "${key}"`,
			method: 'PUT',
			key: storedKey,
			signal: request.signal,
			headers: {
				...toAttributeHeaders({...request, writeId, blockSums}),
				...toConditionHeaders(request),
				...this.#scope.bodyChecksums.headersOf(body, (sums && crcOfRange(sums, 0, sums.sizeBytes)) ?? crcOf(body)),
			},
			body: toPieces(body),
			isConflictRetriable: true,
			confirm: () =>
				this.#scope.findWritten({storedKey, signal: request.signal}, headers => isWrittenBy(headers, writeId)),
		});
		this.#scope.bodyChecksums.note(answer);
		return {...toPutResult(answer), ...(blockSums === undefined ? {} : {blockSums})};
	}

	async copy(source: CopySource, key: string, request: CopyRequest = {}): Promise<PutResult> {
		const {replace, signal} = request;
		assertCopy(source, key, request);
		assertMetadata(replace?.metadata);
		const writeId = replace === undefined ? undefined : (replace.writeId ?? toWriteId(request));
		const storedKey = this.#scope.toKey(key);
		const isOurs = toCopyConfirmation({
			id: writeId,
			source,
			findSource: async () => this.#findSource(source.key, signal),
		});
		await this.#lookBefore.assertSource(source, {signal});
		await this.#lookBefore.assertCondition(key, request, {signal});
		const answer = await this.#scope.connection.send({
			operation: 'CopyObject',
			action: `copy "${source.key}" to "${key}"`,
			method: 'PUT',
			key: storedKey,
			signal,
			isLongRunning: true,
			workBytes: source.sizeBytes,
			isConflictRetriable: true,
			headers: {
				...this.#scope.toSourceHeaders(source),
				...toConditionHeaders(request),
				...(replace === undefined
					? {}
					: {...toAttributeHeaders({...replace, writeId}), 'x-amz-metadata-directive': 'REPLACE'}),
			},
			confirm: () => this.#scope.findWritten({storedKey, signal}, isOurs),
		});
		return {...toPutResult(answer), ...(replace?.blockSums === undefined ? {} : {blockSums: replace.blockSums})};
	}

	async #findSource(key: string, signal: AbortSignal | undefined): Promise<ObjectHead | undefined> {
		const answer = await this.#scope.findLeft(this.#scope.toKey(key), {signal});
		return answer === undefined ? undefined : toObjectHead(key, answer.headers);
	}
}

const toWriteId = ({ifMatch, ifNoneMatch}: WriteCondition): string | undefined =>
	ifMatch === undefined && ifNoneMatch === undefined ? undefined : createWriteId();
