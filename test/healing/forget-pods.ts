import {mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {forgetPods} from '../../src/healing/forget-pods.ts';
import {createDeadline, waitUntil} from '../../src/node/deadline.ts';
import {readNodeEnvironment} from '../../src/node/node-environment.ts';
import {removeVolumeDirectory, volumePaths} from '../../src/node/volumes/volume-directory.ts';
import {withVolumeLock} from '../../src/node/volumes/volume-lock.ts';
import {writeVolumeState, type VolumeState} from '../../src/node/volumes/volume-state.ts';

test('forgetPods() leaves nothing of a volume that another call removed while it waited for the lock', async t => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-forget-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	const environment = readNodeEnvironment(
		{
			PNX_VOLUME_STATE_DIR: directory,
			PNX_VOLUME_RUN_DIR: join(directory, 'run'),
			PNX_VOLUME_MOUNT_TIMEOUT_MS: '600000',
		},
		'/nowhere',
	);
	const volumeId = '0123456789abcdef';
	const paths = volumePaths(environment.stateDirectory, volumeId);
	const pods = [{path: join(directory, 'pods', 'a')}];
	const state: VolumeState = {
		formatVersion: 1,
		volumeId,
		bucket: 'b',
		prefix: '',
		kind: 'pods',
		mountPoint: paths.mountPoint,
		pods,
	};
	let forgetting: Promise<void> | undefined;
	await withVolumeLock(paths, {what: 'a test', deadline: createDeadline(300_000)}, async () => {
		writeVolumeState(paths.stateFile, state);
		forgetting = forgetPods(volumeId, pods, environment);
		// It has the lock of the pod's directory: the next one that it asks for is ours.
		const locks = join(environment.stateDirectory, 'locks');
		t.true(await waitUntil(() => readdirSync(locks).length === 1, createDeadline(300_000)));
		removeVolumeDirectory(paths, {keepStaging: false});
	});
	await forgetting;
	t.deepEqual(readdirSync(join(environment.stateDirectory, 'volumes')), []);
	t.deepEqual(readdirSync(join(environment.stateDirectory, 'locks')), []);
});
