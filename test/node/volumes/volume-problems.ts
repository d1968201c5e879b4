import test from 'ava';
import type {DaemonStatus} from '../../../src/node/launch/daemon-protocol.ts';
import type {VolumeReport} from '../../../src/node/volumes/list-volumes.ts';
import {describeVolumeProblems, toVolumeName} from '../../../src/node/volumes/volume-problems.ts';

const healthy: VolumeReport = {
	volumeId: '0123456789abcdef',
	bucket: 'files',
	prefix: '',
	directories: [],
	health: 'healthy',
	journalBytes: 0,
};

test('a healthy volume has no problem, and each other health has one', t => {
	t.deepEqual(describeVolumeProblems(healthy), []);
	for (const health of ['changing', 'hanging', 'dead', 'gone'] as const) {
		t.is(describeVolumeProblems({...healthy, health}).length, 1, health);
	}
});

test('a volume that is not mounted has a problem only with a journal', t => {
	t.deepEqual(describeVolumeProblems({...healthy, health: 'unmounted'}), []);
	t.regex(describeVolumeProblems({...healthy, health: 'unmounted', journalBytes: 2048})[0]!, /^a journal of 2/);
});

test('what S3 refused is a problem of its own, with the directory that keeps it', t => {
	const refused = {bytes: 4096, directory: '/state/refused'};
	t.regex(describeVolumeProblems({...healthy, refused})[0]!, /are kept in \/state\/refused;/);
	t.is(describeVolumeProblems({...healthy, health: 'dead', refused}).length, 2);
});

test('bytes that came over http without a checksum are a problem, with an example', t => {
	const withChecksums = (checksums: NonNullable<DaemonStatus['fileSystem']['checksums']>): string[] =>
		describeVolumeProblems({...healthy, daemon: {fileSystem: {checksums}} as DaemonStatus});
	const some = {state: 'some', comparedBytes: 2048, otherBytes: 4096, otherKey: 'a/b', isEncrypted: false} as const;
	t.regex(withChecksums(some)[0]!, /^checksums: some\. 4.* over http have no checksum .* of "a\/b"/);
	t.deepEqual(withChecksums({...some, isEncrypted: true}), []);
	t.deepEqual(withChecksums({...some, state: 'all', otherBytes: 0}), []);
});

test('a volume is called by its bucket, and the prefix in it', t => {
	t.is(toVolumeName({bucket: 'files', prefix: ''}), 'files');
	t.is(toVolumeName({bucket: 'files', prefix: 'a/b'}), 'files/a/b');
});
