import {existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {finishVolume} from '../../src/healing/finish-volume.ts';
import {readNodeEnvironment} from '../../src/node/node-environment.ts';
import {createVolumeDirectory, volumePaths} from '../../src/node/volumes/volume-directory.ts';
import {writeVolumeState} from '../../src/node/volumes/volume-state.ts';

test('a volume that nobody uses is finished once only bytes that S3 refused are left, which stay', async t => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-finish-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	const environment = readNodeEnvironment(
		{PNX_VOLUME_STATE_DIR: join(directory, 'state'), PNX_VOLUME_RUN_DIR: join(directory, 'run')},
		'',
	);
	const volumeId = '0'.repeat(16);
	const paths = volumePaths(environment.stateDirectory, volumeId);
	createVolumeDirectory(paths);
	const pods = {kind: 'pods', mountPoint: paths.mountPoint, pods: []} as const;
	writeVolumeState(paths.stateFile, {formatVersion: 1, volumeId, bucket: 'bucket', prefix: '', ...pods});
	const journal = join(paths.staging, '00000000000001-0000000000.json');
	const refused = join(paths.staging, 'failed', '00000000000001-0000000001.data');
	mkdirSync(join(paths.staging, 'failed'));
	writeFileSync(journal, '{}');
	writeFileSync(refused, 'bytes');
	t.is(await finishVolume(volumeId, environment, {keepMs: 0}), 'waiting');
	t.true(existsSync(paths.cache));
	rmSync(journal);
	t.is(await finishVolume(volumeId, environment, {keepMs: 0}), 'finished');
	t.deepEqual([existsSync(refused), existsSync(paths.cache)], [true, false]);
});
