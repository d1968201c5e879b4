import test from 'ava';
import {RequestMeter} from '../../../bench/server/request-meter.ts';

test('the longest chain is of requests of which each began after the one before was answered', t => {
	const meter = new RequestMeter();
	const [a, b] = [meter.begin('GET'), meter.begin('GET')];
	meter.answer(b, 'GET');
	const c = meter.begin('PUT');
	meter.answer(a, 'GET');
	const d = meter.begin('GET');
	meter.answer(d, 'GET');
	t.like(meter.read(), {requests: 4, chain: 2, writes: 1, openWrites: 1}, 'b and d; c is open');
	meter.answer(c, 'PUT');
	t.like(meter.read(), {chain: 2, openWrites: 0}, 'b and c, or b and d');
});

test('a request that began before the last reset counts for nothing but as an open one', t => {
	const meter = new RequestMeter();
	const early = meter.begin('PUT');
	meter.addSent(10);
	meter.reset();
	t.deepEqual(meter.read(), {requests: 0, sentBytes: 0, receivedBytes: 0, chain: 0, writes: 0, openWrites: 1});
	meter.answer(early, 'PUT');
	t.like(meter.read(), {requests: 0, chain: 0, openWrites: 0});
});
