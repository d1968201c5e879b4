import test from 'ava';
import {checkFuseDevice, judgeFuseDevice} from '../../src/doctor/fuse-device-check.ts';

test('checkFuseDevice() names the module when there is no device, and the container when it is forbidden', t => {
	const absent = checkFuseDevice('/nonexistent/fuse');
	t.is(absent.status, 'failed');
	t.regex(absent.found, /\/nonexistent\/fuse does not open: ENOENT/);
	t.regex(absent.remedy!, /modprobe fuse/);
	const forbidden = judgeFuseDevice(
		'/dev/fuse',
		Object.assign(new Error('EPERM: operation not permitted'), {code: 'EPERM'}),
	);
	t.regex(forbidden.remedy!, /privileged/);
});
