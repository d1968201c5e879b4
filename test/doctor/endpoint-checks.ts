import test from 'ava';
import {judgeClock, judgeEndpoint} from '../../src/doctor/endpoint-checks.ts';

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

test('judgeEndpoint() warns of a server with trouble of its own, not of one that refuses strangers', t => {
	t.is(judgeEndpoint({origin: 'http://s3', status: 403, durationMs: 1}).status, 'ok');
	t.is(judgeEndpoint({origin: 'http://s3', status: 503, durationMs: 1}).status, 'warning');
});
