import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import test from 'ava';
import {listVolumes} from '../../../src/node/volumes/list-volumes.ts';
import {readProcessIdentity} from '../../../src/node/host/process-identity.ts';
import {volumePaths} from '../../../src/node/volumes/volume-directory.ts';
import {writeVolumeState} from '../../../src/node/volumes/volume-state.ts';

test('listVolumes() asks all daemons at the same time, so that those that never answer cost one wait together', async t => {
	const stateDirectory = mkdtempSync(join(tmpdir(), 'pnx-'));
	t.teardown(() => rmSync(stateDirectory, {recursive: true, force: true}));
	let [openCount, openCountMax] = [0, 0];
	for (let index = 0; index < 5; index++) {
		const volumeId = String(index).padStart(16, '0');
		const {socket, stateFile, mountPoint} = volumePaths(stateDirectory, volumeId);
		mkdirSync(dirname(socket), {recursive: true});
		const deaf = createServer(connection => {
			openCount++;
			openCountMax = Math.max(openCountMax, openCount);
			connection.on('error', () => undefined).on('close', () => openCount--);
		}).listen(socket);
		t.teardown(() => deaf.close());
		writeVolumeState(stateFile, {
			formatVersion: 1,
			volumeId,
			bucket: `bucket-${index}`,
			prefix: '',
			kind: 'pods',
			mountPoint,
			pods: [],
			daemon: readProcessIdentity(process.pid),
			launch: {way: 'cgroup', home: '/opt/pnx-volume/0.2.0', version: '0.2.0'},
		});
	}

	const volumes = await listVolumes(stateDirectory);
	t.true(openCountMax >= 5, `${openCountMax}`); // Each daemon may be asked more than one question.
	t.is(volumes.length, 5);
	for (const volume of volumes) {
		t.like(volume, {
			health: 'changing',
			kind: 'pods',
			daemonPid: process.pid,
			launch: {way: 'cgroup', version: '0.2.0'},
			daemon: undefined,
			metrics: undefined,
		});
	}
});

test('listVolumes() tells bytes that wait for their upload from those that are kept for a person', async t => {
	const stateDirectory = mkdtempSync(join(tmpdir(), 'pnx-'));
	t.teardown(() => rmSync(stateDirectory, {recursive: true, force: true}));
	const volumeId = '0'.repeat(16);
	const {staging, stateFile, mountPoint} = volumePaths(stateDirectory, volumeId);
	const failed = join(staging, 'failed');
	mkdirSync(failed, {recursive: true});
	writeFileSync(join(staging, 'waits.data'), 'bytes');
	writeFileSync(join(failed, 'refused.data'), 'more bytes');
	const pods = {kind: 'pods', mountPoint, pods: []} as const;
	writeVolumeState(stateFile, {formatVersion: 1, volumeId, bucket: 'bucket', prefix: '', ...pods});
	const [volume] = await listVolumes(stateDirectory);
	t.like(volume, {health: 'unmounted', journalBytes: 5, refused: {directory: failed, bytes: 10}});
});
