import {mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {parseMountTable} from '../../../src/node/mounts/mount-table.ts';
import {createVolumeDirectory, removeVolumeDirectory, volumePaths} from '../../../src/node/volumes/volume-directory.ts';
import {
	podsInUse,
	readAllVolumeStates,
	readVolumeState,
	writeVolumeState,
	type VolumeState,
} from '../../../src/node/volumes/volume-state.ts';

const volumeId = '0123456789abcdef';

const temporaryState = (t: ExecutionContext) => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-state-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	const paths = volumePaths(directory, volumeId);
	createVolumeDirectory(paths);
	return {directory, paths};
};

const state: VolumeState = {
	formatVersion: 1,
	volumeId,
	bucket: 'bucket-1',
	prefix: '',
	kind: 'pods',
	mountPoint: '/m',
	pods: [{path: '/pods/a'}, {path: '/pods/b', name: 'b'}],
};

test('writeVolumeState() is read back, and leaves no temporary file', t => {
	const {directory, paths} = temporaryState(t);
	writeVolumeState(paths.stateFile, state);
	t.deepEqual(readVolumeState(paths.stateFile), state);
	t.deepEqual(readAllVolumeStates(directory), [state]);
	t.deepEqual(
		readdirSync(paths.directory).filter(name => name.includes('tmp')),
		[],
	);
});

test('readVolumeState() takes no state for none and for a damaged or foreign one', t => {
	const {paths} = temporaryState(t);
	t.is(readVolumeState(paths.stateFile), undefined);
	for (const text of ['', '{', 'null', '{"formatVersion":2}', JSON.stringify({...state, pods: ['/a']})]) {
		writeFileSync(paths.stateFile, text);
		t.is(readVolumeState(paths.stateFile), undefined, text);
	}
});

test('podsInUse() counts the pods that see the present mount, not those with a dead one', t => {
	const table = parseMountTable(
		'1 0 0:50 / /m rw - fuse.x b rw\n2 0 0:50 / /pods/a rw - fuse.x b rw\n3 0 0:49 / /pods/b rw - fuse.x b rw\n',
	);
	t.deepEqual(
		podsInUse(state, table).map(({path}) => path),
		['/pods/a'],
	);
	t.deepEqual(podsInUse(state, []), []);
});

test('removeVolumeDirectory() removes everything, or everything but the journal and the state', t => {
	const {directory, paths} = temporaryState(t);
	for (const file of [paths.stateFile, paths.lockFile, join(paths.staging, 'journal'), join(paths.cache, 'block')]) {
		writeFileSync(file, 'x');
	}

	removeVolumeDirectory(paths, {keepStaging: true});
	t.deepEqual(readdirSync(paths.directory).sort(), ['staging', 'state.json']);
	t.deepEqual(readdirSync(paths.staging), ['journal']);
	removeVolumeDirectory(paths, {keepStaging: false});
	t.deepEqual(readdirSync(join(directory, 'volumes')), []);
});

test('removeVolumeDirectory() never deletes what lies in a mount point', t => {
	const {paths} = temporaryState(t);
	mkdirSync(join(paths.mountPoint, 'files-of-the-bucket'));
	removeVolumeDirectory(paths, {keepStaging: false});
	t.deepEqual(readdirSync(paths.mountPoint), ['files-of-the-bucket']);
});
