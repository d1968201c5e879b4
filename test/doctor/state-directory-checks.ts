import test from 'ava';
import {judgeDisk} from '../../src/doctor/state-directory-checks.ts';

const gibibyte = 2 ** 30;

test('judgeDisk() warns below 1 GiB or 5 %, and fails when nothing is free', t => {
	t.is(judgeDisk({directory: '/s', freeBytes: 10 * gibibyte, totalBytes: 100 * gibibyte}).status, 'ok');
	t.is(judgeDisk({directory: '/s', freeBytes: gibibyte - 1, totalBytes: 2 * gibibyte}).status, 'warning');
	t.is(judgeDisk({directory: '/s', freeBytes: 4 * gibibyte, totalBytes: 100 * gibibyte}).status, 'warning');
	t.is(judgeDisk({directory: '/s', freeBytes: 0, totalBytes: gibibyte}).status, 'failed');
});
