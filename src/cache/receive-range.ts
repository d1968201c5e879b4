import type {Counter} from '../model/metric-sink.ts';
import {StoreError, isStoreError} from '../model/store-error.ts';
import type {ByteRange, GetResult, ObjectBody, ObjectStore, ObjectVersion} from '../store/object-store.ts';

export type RangeSource = {
	readonly store: ObjectStore;
	readonly signal: AbortSignal;
	/** Counts how often the rest was asked for again. */
	readonly resumptions: Counter;
};

const attemptCountMax = 4;

/**
Exactly the bytes of a range of one version, in pieces, each with the answer that brought it. Where a connection
breaks on the way, the next one goes on. An answer with the bytes of the range may be there already: then that is
read first.
*/
export const receiveRange = async (
	source: RangeSource,
	version: ObjectVersion,
	{start, end, begun}: ByteRange & {readonly begun?: GetResult | undefined},
	take: (bytes: Uint8Array, answer: GetResult) => void,
): Promise<void> => {
	let position = start;
	for (let attempt = 1; position < end; attempt++) {
		// The store itself tries again what fails before the first byte.
		const answer = attempt === 1 && begun !== undefined ? begun : await open(source, version, {start: position, end});
		try {
			await pump(answer.body, bytes => {
				if (bytes.length > end - position) {
					throw new StoreError(
						'corrupt',
						`Cannot read ${version.key}: more bytes came than the ${end - start} that were requested`,
					);
				}

				take(bytes, answer);
				position += bytes.length;
			});

			if (position < end) {
				throw new StoreError(
					'unavailable',
					`Cannot read ${version.key}: the connection ended ${end - position} bytes early`,
				);
			}
		} catch (error) {
			if (attempt >= attemptCountMax || !isStoreError(error) || !error.isTransient) {
				throw error;
			}

			source.resumptions.value++;
		}
	}
};

const pump = async (body: ObjectBody, take: (bytes: Uint8Array) => void): Promise<void> => {
	if (body.pump !== undefined) {
		await body.pump(take);
		return;
	}

	for await (const bytes of body) {
		take(bytes);
	}
};

const open = async (
	{store, signal}: RangeSource,
	version: ObjectVersion,
	{start, end}: ByteRange,
): Promise<GetResult> => {
	// Only of a whole object does S3 tell the checksum.
	const range = start === 0 && end === version.sizeBytes ? undefined : {start, end};
	const request = {range, ifMatch: version.etag, signal};
	try {
		const result = await store.get(version.key, request);
		if (result !== undefined) {
			return result;
		}
	} catch (error) {
		if (version.versionId === undefined || !isStoreError(error, 'preconditionFailed')) {
			throw error;
		}
	}

	// Replaced or deleted since; a versioned bucket still has it. Not asked first, as it needs a permission of its own.
	const result =
		version.versionId === undefined
			? undefined
			: await store.get(version.key, {...request, versionId: version.versionId});
	if (result === undefined) {
		throw new StoreError('notFound', `Cannot read ${version.key}: the version that was opened is gone`);
	}

	return result;
};
