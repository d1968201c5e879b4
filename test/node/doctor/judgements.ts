import test from 'ava';
import {toCheck} from '../../../src/node/doctor/check.ts';
import {checkFuseDevice, judgeFuseDevice} from '../../../src/node/doctor/fuse-device-check.ts';
import {judgeFuseMounts} from '../../../src/node/doctor/mount-checks.ts';
import {judgeDisk} from '../../../src/node/doctor/state-directory-checks.ts';

const gibibyte = 2 ** 30;

test('judgeDisk() warns below 1 GiB or 5 %, and fails when nothing is free', t => {
	t.is(judgeDisk({directory: '/s', freeBytes: 10 * gibibyte, totalBytes: 100 * gibibyte}).status, 'ok');
	t.is(judgeDisk({directory: '/s', freeBytes: gibibyte - 1, totalBytes: 2 * gibibyte}).status, 'warning');
	t.is(judgeDisk({directory: '/s', freeBytes: 4 * gibibyte, totalBytes: 100 * gibibyte}).status, 'warning');
	t.is(judgeDisk({directory: '/s', freeBytes: 0, totalBytes: gibibyte}).status, 'failed');
});

test('checkFuseDevice() names the module when there is no device, and the container when it is forbidden', t => {
	const absent = checkFuseDevice('/nonexistent/fuse');
	t.is(absent.status, 'failed');
	t.regex(absent.found, /\/nonexistent\/fuse does not open: ENOENT/);
	t.regex(absent.remedy!, /modprobe fuse/);
	const forbidden = judgeFuseDevice('/dev/fuse', Object.assign(new Error('EPERM: operation not permitted'), {code: 'EPERM'}));
	t.regex(forbidden.remedy!, /privileged/);
});

test('judgeFuseMounts() fails for dead and hanging mounts, not for those of somebody else', t => {
	const mount = {path: '/m', source: 'pnx-volume:files'};
	t.is(judgeFuseMounts([[mount, 'answers'], [mount, 'EACCES']], 2).status, 'ok');
	t.regex(judgeFuseMounts([[mount, 'ENOTCONN']], 1).found, /dead mount \(ENOTCONN\)/);
	t.regex(judgeFuseMounts([[mount, 'hanging']], 1).found, /hangs/);
});

test('toCheck() is as bad as the worst finding, names the worst first, each remedy once, and no more than five', t => {
	const warnings = ['a', 'b', 'c', 'd', 'e'].map(found => ({status: 'warning', found, remedy: 'look'} as const));
	t.deepEqual(toCheck('x', [...warnings, {status: 'failed', found: 'f', remedy: 'mend'}], 'good'), {name: 'x', status: 'failed', found: 'f; a; b; c; d; and 1 more', remedy: 'mend; look'});
	t.deepEqual(toCheck('x', [], 'good'), {name: 'x', status: 'ok', found: 'good'});
});
