import test from 'ava';
import {checkDaemons} from '../../src/doctor/daemon-check.ts';
import type {VolumeReport} from '../../src/node/volumes/list-volumes.ts';

const report: VolumeReport = {
	volumeId: '00000000000000aa',
	bucket: 'files',
	prefix: '',
	directories: [],
	health: 'healthy',
	journalBytes: 0,
};

test('checkDaemons() warns of a volume whose newest upload failed, with its reason', t => {
	const fileSystem = {
		openHandles: 0,
		dirtyBytes: 0,
		uploadsPending: 0,
		uploadsFailed: 1,
		conflicts: 0,
		cacheBytes: 0,
		stagingBytes: 0,
		lastError: {atMs: 0, message: 'access denied'},
	};
	const daemon = {
		volumeId: report.volumeId,
		pid: 7,
		version: '1',
		startedAtMs: 0,
		bucket: 'files',
		prefix: '',
		mountPoint: '/m',
		residentBytes: 1,
		fileSystem,
	};
	t.like(checkDaemons([{...report, health: 'failing', daemon}]), {
		status: 'warning',
		found: 'volume 00000000000000aa (files): access denied',
	});
	t.like(checkDaemons([report]), {status: 'ok', found: '1 daemon answers'});
	t.like(checkDaemons([{...report, health: 'gone'}]), {status: 'ok', found: 'no volume is mounted'});
});
