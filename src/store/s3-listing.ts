import {StoreError} from '../model/store-error.ts';
import type {ListedObject, ListPage} from './object-store.ts';
import {findRawXmlText, findXmlElements, findXmlText} from './s3-xml.ts';

/** Turns the answer of ListObjectsV2 into a page. `keyPrefix` is taken off every key. */
export const parseListing = (xml: string, keyPrefix: string): ListPage => {
	if (!xml.includes('<ListBucketResult') || !xml.includes('</ListBucketResult>')) {
		throw new StoreError('corrupt', 'Cannot read a listing: the answer is not a whole ListBucketResult');
	}

	const decode = toKeyDecoder(findXmlText(xml, 'EncodingType') === 'url', keyPrefix);
	const objects: ListedObject[] = [];
	for (const element of findXmlElements(xml, 'Contents')) {
		const key = decode(findXmlText(xml, 'Key', element));
		if (key !== undefined) {
			objects.push({
				key,
				etag: (findRawXmlText(xml, 'ETag', element) ?? '').replaceAll(/"|&quot;|&#34;/g, ''),
				sizeBytes: Number(findRawXmlText(xml, 'Size', element)),
				lastModifiedMs: Date.parse(findRawXmlText(xml, 'LastModified', element) ?? ''),
			});
		}
	}

	const prefixes: string[] = [];
	for (const element of findXmlElements(xml, 'CommonPrefixes')) {
		const prefix = decode(findXmlText(xml, 'Prefix', element));
		if (prefix !== undefined) {
			prefixes.push(prefix);
		}
	}

	const isTruncated = findXmlText(xml, 'IsTruncated') === 'true';
	return {objects, prefixes, continuationToken: isTruncated ? findXmlText(xml, 'NextContinuationToken') : undefined};
};

export const unquoteEtag = (etag: string): string =>
	etag.startsWith('"') && etag.endsWith('"') ? etag.slice(1, -1) : etag;

/** Keys whose bytes are not UTF-8 cannot be asked for again: they are left out, as `undefined`. */
const toKeyDecoder =
	(isUrlEncoded: boolean, keyPrefix: string) =>
	(text: string | undefined): string | undefined => {
		if (text === undefined) {
			return undefined;
		}

		const key = isUrlEncoded ? decodeUri(text) : text;
		return key?.startsWith(keyPrefix) === true ? key.slice(keyPrefix.length) : undefined;
	};

/** As S3 encodes: a blank is `+`, and a plus is `%2B`. */
const decodeUri = (text: string): string | undefined => {
	if (!text.includes('%') && !text.includes('+')) {
		return text;
	}

	try {
		return decodeURIComponent(text.includes('+') ? text.replaceAll('+', ' ') : text);
	} catch (error) {
		if (error instanceof URIError) {
			return undefined;
		}

		throw error;
	}
};
