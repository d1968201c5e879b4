import {existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {createDeadline} from '../../../src/node/deadline.ts';
import {
	createVolumeDirectory,
	removeVolumeDirectory,
	volumePaths,
	type VolumePaths,
} from '../../../src/node/volumes/volume-directory.ts';
import {sweepVolume, withVolumeLock} from '../../../src/node/volumes/volume-lock.ts';

const pathsOf = (t: ExecutionContext): VolumePaths => {
	const stateDirectory = mkdtempSync(join(tmpdir(), 'pnx-volume-lock-'));
	t.teardown(() => rmSync(stateDirectory, {recursive: true, force: true}));
	return volumePaths(stateDirectory, '0123456789abcdef');
};

const locked = async (paths: VolumePaths, work: () => Promise<void>): Promise<void> =>
	withVolumeLock(paths, {what: 'a test', deadline: createDeadline(300_000)}, work);

test('withVolumeLock() leaves nothing of a volume that is not there, also when the work fails', async t => {
	const paths = pathsOf(t);
	await locked(paths, async () => {
		t.true(existsSync(paths.lockFile));
	});
	t.false(existsSync(paths.directory));
	await t.throwsAsync(
		locked(paths, async () => {
			createVolumeDirectory(paths);
			throw new Error('no');
		}),
		{message: 'no'},
	);
	t.false(existsSync(paths.directory));
});

test('withVolumeLock() leaves a volume that has a state, and bytes of a volume that has none', async t => {
	const paths = pathsOf(t);
	await locked(paths, async () => writeFileSync(paths.stateFile, 'of a newer version'));
	t.deepEqual(readdirSync(paths.directory).sort(), ['lock.db', 'state.json']);
	await locked(paths, async () => {
		rmSync(paths.stateFile);
		createVolumeDirectory(paths);
		writeFileSync(join(paths.staging, 'layer'), 'bytes');
	});
	t.deepEqual(readdirSync(paths.directory), ['staging']);
	t.deepEqual(readdirSync(paths.staging), ['layer']);
});

test('withVolumeLock() never touches the volume that another call makes where the work has removed one', async t => {
	const paths = pathsOf(t);
	await locked(paths, async () => {
		removeVolumeDirectory(paths, {keepStaging: false});
		mkdirSync(paths.directory);
		writeFileSync(paths.lockFile, '');
	});
	t.deepEqual(readdirSync(paths.directory), ['lock.db']);
});

test('sweepVolume() removes what is left of a volume, but not while another call holds its lock', async t => {
	const paths = pathsOf(t);
	await locked(paths, async () => {
		createVolumeDirectory(paths);
		await sweepVolume(paths);
		t.true(existsSync(paths.mountPoint));
		writeFileSync(paths.stateFile, '{}');
	});
	rmSync(paths.stateFile);
	await sweepVolume(paths);
	t.false(existsSync(paths.directory));
});
