import {xmlAnswer, type Action} from '../call.ts';
import {parseCountMax} from '../listing.ts';
import {owner} from '../owner.ts';
import {writeXml} from '../xml-writer.ts';

export const listBuckets: Action = ({storage, target: {query}}) => {
	const prefix = query.get('prefix') ?? '';
	const after = Buffer.from(query.get('continuation-token') ?? '', 'base64url').toString();
	const countMax = query.has('max-buckets') ? parseCountMax(query.get('max-buckets'), 'max-buckets') : 10_000;
	const region = query.get('bucket-region');
	const buckets = [...storage.buckets]
		.filter(
			bucket =>
				bucket.name.startsWith(prefix) && bucket.name > after && (region === undefined || bucket.region === region),
		)
		.sort((a, b) => (a.name < b.name ? -1 : 1));
	const page = buckets.slice(0, countMax);
	const last = page.at(-1);
	return xmlAnswer(
		writeXml('ListAllMyBucketsResult', {
			Owner: owner,
			Buckets: {
				Bucket: page.map(({name, createdMs, region}) => ({
					Name: name,
					CreationDate: new Date(createdMs).toISOString(),
					BucketRegion: region,
				})),
			},
			Prefix: query.get('prefix'),
			ContinuationToken:
				buckets.length > page.length && last !== undefined ? Buffer.from(last.name).toString('base64url') : undefined,
		}),
	);
};
