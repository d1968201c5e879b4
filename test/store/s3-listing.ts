import test from 'ava';
import {parseListing} from '../../src/store/s3-listing.ts';

const toXml = (content: string, encoding = '<EncodingType>url</EncodingType>'): string =>
	`<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix></Prefix>${encoding}${content}</ListBucketResult>`;

const toContents = (key: string): string =>
	`<Contents><Key>${key}</Key><LastModified>2024-05-06T07:08:09.123Z</LastModified><ETag>&quot;abc-2&quot;</ETag><ChecksumAlgorithm>CRC32</ChecksumAlgorithm><Size>5368709120</Size><Owner><ID>1</ID></Owner><StorageClass>STANDARD</StorageClass></Contents>`;

test('parseListing() reads objects, prefixes and the token', t => {
	const xml = toXml(
		`<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b==</NextContinuationToken>${toContents('v/a+b%2B%C3%A9')}<CommonPrefixes><Prefix>v/d%20e/</Prefix></CommonPrefixes>`,
	);
	t.deepEqual(parseListing(xml, 'v/'), {
		objects: [
			{key: 'a b+é', etag: 'abc-2', sizeBytes: 5_368_709_120, lastModifiedMs: Date.UTC(2024, 4, 6, 7, 8, 9, 123)},
		],
		prefixes: ['d e/'],
		continuationToken: 'a&b==',
	});
});

test('parseListing() takes keys as they are from a server that does not encode them', t => {
	const {objects} = parseListing(toXml(toContents('a+b%20&amp;&lt;&#xe9;&#x1F980;'), ''), '');
	t.is(objects[0]?.key, 'a+b%20&<é🦀');
});

test('parseListing() leaves out keys that are not UTF-8', t => {
	t.deepEqual(
		parseListing(toXml(toContents('bad%FFkey') + toContents('good')), '').objects.map(({key}) => key),
		['good'],
	);
});

test('parseListing() refuses an answer that was cut off', t => {
	t.throws(() => parseListing(toXml(toContents('a')).slice(0, -30), ''), {
		name: 'StoreError',
		message: /not a whole ListBucketResult/,
	});
});

test('parseListing() reads a full page of 1000 keys', t => {
	const xml = toXml(
		Array.from({length: 1000}, (_, index) => toContents(`directory/with%20a%20name/file-${index}.json`)).join(''),
	);
	t.is(parseListing(xml, 'directory/').objects.length, 1000);
});
