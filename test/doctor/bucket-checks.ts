import test from 'ava';
import {judgeOrigin} from '../../src/doctor/check-bucket.ts';
import {judgeCredentials} from '../../src/doctor/credentials-check.ts';
import {judgeClock, judgeEndpoint} from '../../src/doctor/endpoint-checks.ts';
import {judgeConditions} from '../../src/doctor/write-checks.ts';

test('judgeClock() warns beyond 5 s, and fails beyond the 15 minutes of S3', t => {
	t.is(judgeClock(4999).status, 'ok');
	t.like(judgeClock(6000), {status: 'warning', found: "6 s behind the server's"});
	t.like(judgeClock(-6000), {status: 'warning', found: "6 s ahead of the server's"});
	t.is(judgeClock(900_000).status, 'warning');
	t.like(judgeClock(-901_000), {
		status: 'failed',
		found: "901 s ahead of the server's: S3 refuses requests beyond 15 minutes",
	});
	t.is(judgeClock(undefined).status, 'skipped');
	t.is(judgeClock(Number.NaN).status, 'skipped');
});

test('judgeConditions() tells a server that ignores conditions from one that refuses them', t => {
	t.is(judgeConditions({whenAbsent: 'stored', whenThere: 'refused'}).status, 'ok');
	t.like(judgeConditions({whenAbsent: 'stored', whenThere: 'stored'}), {
		status: 'warning',
		found: 'the server ignores If-None-Match',
	});
	t.like(judgeConditions({whenAbsent: 'refused', whenThere: 'refused'}), {
		status: 'warning',
		found: 'the server refuses If-None-Match',
	});
});

test('judgeCredentials() says where they are from, and that they have expired', t => {
	t.is(
		judgeCredentials({source: ['CREDENTIALS_ENV_VARS'], expiresAtMs: undefined, nowMs: 0}).found,
		'from environment variables',
	);
	t.is(
		judgeCredentials({source: ['CREDENTIALS_IMDS'], expiresAtMs: 1000, nowMs: 0}).found,
		'from the role of this machine, until 1970-01-01T00:00:01.000Z',
	);
	t.is(
		judgeCredentials({source: ['CREDENTIALS_PROFILE', 'CREDENTIALS_PROFILE_SSO'], expiresAtMs: undefined, nowMs: 0})
			.found,
		'from single sign-on',
	);
	t.is(judgeCredentials({source: [], expiresAtMs: undefined, nowMs: 0}).found, 'from the default chain of the AWS SDK');
	t.is(judgeCredentials({source: [], expiresAtMs: 1000, nowMs: 1000}).status, 'failed');
});

test('judgeOrigin() warns of a bucket whose creation was not finished', t => {
	t.is(judgeOrigin('files', 'pending').status, 'warning');
	t.regex(judgeOrigin('files', 'done').found, /pnx-volume created it$/);
	t.regex(judgeOrigin('files', undefined).found, /it was not created by pnx-volume/);
});

test('judgeEndpoint() warns of a server with trouble of its own, not of one that refuses strangers', t => {
	t.is(judgeEndpoint({origin: 'http://s3', status: 403, durationMs: 1}).status, 'ok');
	t.is(judgeEndpoint({origin: 'http://s3', status: 503, durationMs: 1}).status, 'warning');
});
