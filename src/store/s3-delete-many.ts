import {createHash} from 'node:crypto';
import type {StoreError} from '../model/store-error.ts';
import type {DeletedObject} from './object-store.ts';
import type {S3Answer, S3Connection} from './s3-connection.ts';
import {toRefusalError} from './s3-errors.ts';
import {escapeXml, findXmlElements, findXmlText} from './s3-xml.ts';

export type FailedKey = {key: string; error: StoreError};

/** XML 1.0 has no way to write these, and a server that meets one in a batch refuses the batch. */
export const isBatchKey = (key: string): boolean =>
	!/[\u0000-\u001F\u007F-\u009F\uFFFE\uFFFF]/.test(key) && key.isWellFormed();

/** Stands for the answer to a batch that may have been carried out. */
const lostAnswer: S3Answer = {status: 0, headers: {}, text: ''};

/**
One DeleteObjects of up to 1000 keys, each on condition of its etag where it has one. `isLost`: nobody knows which of
them were deleted; without `isSafeToRepeat` it is not sent again then.
*/
export const sendDeleteObjects = async (
	connection: S3Connection,
	deleted: readonly DeletedObject[],
	{
		signal,
		isQuiet = true,
		isSafeToRepeat,
	}: {signal?: AbortSignal | undefined; isQuiet?: boolean; isSafeToRepeat: boolean},
): Promise<{failed: FailedKey[]; text: string; isLost: boolean}> => {
	if (deleted.length === 0) {
		return {failed: [], text: '', isLost: false};
	}

	const objects = deleted.map(
		({key, etag}) =>
			`<Object><Key>${escapeXml(key)}</Key>${etag === undefined ? '' : `<ETag>${escapeXml(etag)}</ETag>`}</Object>`,
	);
	const body = Buffer.from(
		`<?xml version="1.0" encoding="UTF-8"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>${isQuiet}</Quiet>${objects.join('')}</Delete>`,
	);
	const operation = 'DeleteObjects';
	const action = `delete ${deleted.length} objects`;
	const answer = await connection.send({
		operation,
		action,
		signal,
		method: 'POST',
		query: {delete: ''},
		body: [body],
		beforeRetry: isSafeToRepeat ? undefined : async () => lostAnswer,
		headers: {'content-type': 'application/xml', 'content-md5': createHash('md5').update(body).digest('base64')},
	});
	const {text} = answer;
	const failed: FailedKey[] = [];
	for (const element of findXmlElements(text, 'Error')) {
		const key = findXmlText(text, 'Key', element) ?? '';
		const refusal = {
			status: 200,
			s3Code: findXmlText(text, 'Code', element),
			message: findXmlText(text, 'Message', element),
		};
		failed.push({key, error: toRefusalError(connection.toContext({operation, action: `delete "${key}"`}), refusal)});
	}

	return {failed, text, isLost: answer === lostAnswer};
};
