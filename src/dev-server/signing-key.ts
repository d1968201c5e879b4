import {createHmac, createSecretKey, timingSafeEqual, type KeyObject} from 'node:crypto';

// A key is good for a day in a region: four hashes less for each request.
const signingKeys = new Map<string, KeyObject>();
const signingKeyCountMax = 64;

export const signingKeyFor = (
	{date, region}: {readonly date: string; readonly region: string},
	{secretAccessKey}: {readonly secretAccessKey: string},
): KeyObject => {
	const name = `${date}/${region}/${secretAccessKey}`;
	const known = signingKeys.get(name);
	if (known !== undefined) {
		return known;
	}

	let key: string | Buffer = `AWS4${secretAccessKey}`;
	for (const text of [date, region, 's3', 'aws4_request']) {
		key = createHmac('sha256', key).update(text).digest();
	}

	if (signingKeys.size >= signingKeyCountMax) {
		signingKeys.clear();
	}

	const signingKey = createSecretKey(key as Buffer); // The loop has run.
	signingKeys.set(name, signingKey);
	return signingKey;
};

/** The signature of a text, as S3 writes it. */
export const sign = (signingKey: KeyObject, text: string): string =>
	createHmac('sha256', signingKey).update(text).digest('hex');

export const isEqual = (a: string, b: string): boolean =>
	a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
