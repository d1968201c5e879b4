import test from 'ava';
import {createDeadline, waitUntil} from '../../src/node/deadline.ts';

test('a deadline that has passed has nothing left, and none within it is later', t => {
	const past = createDeadline(0);
	t.is(past.remainingMs(), 0);
	t.is(past.within(3_600_000).remainingMs(), 0);
	const long = createDeadline(3_600_000);
	t.true(long.remainingMs() > 0);
	t.is(long.within(0).remainingMs(), 0);
});

test('waitUntil() asks until the answer is yes, and at least once', async t => {
	let askedCount = 0;
	t.true(await waitUntil(() => ++askedCount === 3, createDeadline(3_600_000), 1));
	t.is(askedCount, 3);
	t.true(await waitUntil(async () => true, createDeadline(0)));
	askedCount = 0;
	t.false(await waitUntil(() => ++askedCount === 0, createDeadline(0)));
	t.is(askedCount, 1);
});
