import test from 'ava';
import {encodeKey, S3Signer, toQueryString} from '../../src/store/s3-signer.ts';

// The examples of the S3 API reference, "Signature Calculations for the Authorization Header".
const credentials = {accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'};
const signer = new S3Signer({region: 'us-east-1', nowMs: () => Date.UTC(2013, 4, 24)});
const host = 'examplebucket.s3.amazonaws.com';

test('sign() gives the signature of the reference for a GET with a range', t => {
	const headers = signer.sign(
		{method: 'GET', host, path: '/test.txt', query: '', headers: {range: 'bytes=0-9'}, hasBody: false},
		credentials,
	);
	t.is(
		headers['authorization'],
		'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
	);
});

test('sign() gives the signature of the reference for a listing', t => {
	const query = toQueryString({prefix: 'J', 'max-keys': '2', absent: undefined});
	t.is(query, 'max-keys=2&prefix=J');
	const headers = signer.sign({method: 'GET', host, path: '/', query, headers: {}, hasBody: false}, credentials);
	t.regex(
		headers['authorization'] ?? '',
		/Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7$/,
	);
});

test('sign() follows credentials that change, and sends a session token', t => {
	const sign = (changed: Partial<typeof credentials> & {sessionToken?: string}) =>
		signer.sign({method: 'GET', host, path: '/', query: '', headers: {}, hasBody: false}, {...credentials, ...changed});
	t.not(sign({secretAccessKey: 'other'})['authorization'], sign({})['authorization']);
	t.is(sign({sessionToken: 'token'})['x-amz-security-token'], 'token');
	t.regex(sign({sessionToken: 'token'})['authorization'] ?? '', /x-amz-security-token/);
});

test('sign() makes the key of the new day at midnight UTC', t => {
	let nowMs = Date.UTC(2013, 4, 23, 23, 59, 59, 999);
	const kept = new S3Signer({region: 'us-east-1', nowMs: () => nowMs});
	const request = {method: 'GET', host, path: '/test.txt', query: '', headers: {range: 'bytes=0-9'}, hasBody: false};
	t.regex(kept.sign(request, credentials)['authorization'] ?? '', /\/20130523\//);
	nowMs = Date.UTC(2013, 4, 24);
	t.regex(
		kept.sign(request, credentials)['authorization'] ?? '',
		/\/20130524\/.*Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41$/,
	);
});

test('encodeKey() keeps slashes and dots, and encodes the rest', t => {
	t.is(encodeKey("a//b/../c d+é!'()*~"), 'a//b/../c%20d%2B%C3%A9%21%27%28%29%2A~');
});
