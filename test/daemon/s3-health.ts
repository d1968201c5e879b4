import test from 'ava';
import {S3Health} from '../../src/daemon/s3-health.ts';

test('S3 counts as failing from a request without an answer, or with a 5xx, until one succeeds', t => {
	const health = new S3Health();
	const event = {
		operation: 'HeadObject',
		durationMs: 1,
		attempt: 1,
		sentBytes: 0,
		receivedBytes: 0,
		isThrottled: false,
	};
	t.is(health.failure, undefined);
	health.note({...event, status: 0});
	t.regex(health.failure?.message ?? '', /^S3 did not answer HeadObject/);
	health.note({...event, status: 503});
	t.regex(health.failure?.message ?? '', /status 503/);
	health.note({...event, status: 404});
	t.is(health.failure, undefined);
});

test('a failure of S3 is forgotten after five minutes without a request, as nobody who uses the volume meets it', t => {
	let nowMs = 1_000_000;
	const health = new S3Health(() => nowMs);
	const event = {
		operation: 'HeadObject',
		status: 0,
		durationMs: 1,
		attempt: 1,
		sentBytes: 0,
		receivedBytes: 0,
		isThrottled: false,
	};
	health.note(event);
	nowMs += 4 * 60_000;
	t.not(health.failure, undefined);
	health.note(event);
	nowMs += 4 * 60_000;
	t.not(health.failure, undefined);
	nowMs += 60_000;
	t.is(health.failure, undefined);
});
