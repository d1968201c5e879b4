import test from 'ava';
import {judgeCredentials} from '../../src/doctor/credentials-check.ts';

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
