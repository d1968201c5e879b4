import test from 'ava';
import {planMemoryLimits} from '../../../src/node/launch/daemon-limits.ts';

const mebibyte = 2 ** 20;

test('the limits of a daemon are what its volume may hold and room for the rest, then twice that', t => {
	t.deepEqual(planMemoryLimits({name: 'files'}), {highBytes: 640 * mebibyte, maxBytes: 1280 * mebibyte});
	t.deepEqual(planMemoryLimits({name: 'files', memory: '256MiB'}), {
		highBytes: 768 * mebibyte,
		maxBytes: 1536 * mebibyte,
	});
});
