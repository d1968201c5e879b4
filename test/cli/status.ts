import test from 'ava';
import {formatStatus} from '../../src/cli/status.ts';
import type {VolumeReport} from '../../src/node/list-volumes.ts';

const report: VolumeReport = {volumeId: '0123456789abcdef', bucket: 'media', prefix: '', directories: [], health: 'healthy', journalBytes: 0};

test('formatStatus() gives each directory of a volume a line, and the volume\'s numbers once', t => {
	const text = formatStatus([{...report, dirtyBytes: 2048, daemonPid: 7, directories: [
		{path: '/pods/a', name: 'web-1', namespace: 'shop', isMounted: true},
		{path: '/pods/b', isMounted: false},
	]}], '/state');
	t.is(text, [
		'BUCKET  DIRECTORY              POD         HEALTH   DIRTY  CACHE  MEMORY  DAEMON',
		'media   /pods/a                shop/web-1  healthy  2 KiB  -      -       pid 7',
		'        /pods/b (not mounted)  -',
		'',
	].join('\n'));
});

for (const [health, message] of [
	['hanging', /media\/2024: the daemon \(pid 7\) does not answer; kill -9 it/],
	['dead', /media\/2024: the daemon is gone, so every use of the directory fails; unmount it/],
	['unmounted', /media\/2024: a journal of 5 bytes waits for the next mount/],
	['gone', /media\/2024: nothing is mounted, as after a reboot/],
] as const) {
	test(`formatStatus() says what to do about a volume that is ${health}`, t => {
		t.regex(formatStatus([{...report, prefix: '2024', health, journalBytes: 5, daemonPid: 7}], '/state'), message);
	});
}

test('formatStatus() tells the newest error of a volume, and where refused bytes are kept', t => {
	const fileSystem = {openHandles: 0, dirtyBytes: 0, uploadsPending: 0, uploadsFailed: 1, conflicts: 0, cacheBytes: 0, stagingBytes: 0, lastError: {atMs: 0, message: 'access denied'}};
	const daemon = {volumeId: report.volumeId, pid: 7, version: '1', startedAtMs: 0, bucket: 'media', prefix: '', mountPoint: '/m', residentBytes: 1, fileSystem};
	const text = formatStatus([{...report, health: 'failing', daemon, refused: {directory: '/state/failed', bytes: 1024}}], '/state');
	t.regex(text, /^media: 1970-01-01T00:00:00\.000Z access denied$/m);
	t.regex(text, /^media: 1 KiB that S3 refused for good are kept in \/state\/failed; save what you need and delete it\.$/m);
});

test('formatStatus() says when nothing is mounted', t => {
	t.is(formatStatus([], '/state'), 'Nothing is mounted on this node (state directory /state).\n');
});
