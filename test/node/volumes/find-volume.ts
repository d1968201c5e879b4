import test from 'ava';
import {findVolumeAt} from '../../../src/node/volumes/find-volume.ts';
import type {VolumeState} from '../../../src/node/volumes/volume-state.ts';

const stateOf = (volumeId: string, mountPoint: string, ...pods: readonly string[]): VolumeState => ({
	formatVersion: 1,
	volumeId,
	bucket: 'bucket',
	prefix: '',
	kind: pods.length > 0 ? 'pods' : 'directory',
	mountPoint,
	pods: pods.map(path => ({path})),
});

test('findVolumeAt() finds the nearest volume at or above a directory, by its own mount and those of pods', t => {
	const states = [
		stateOf('outer', '/mnt'),
		stateOf('inner', '/mnt/a/b'),
		stateOf('pods', '/state/m', '/pods/1', '/pods/2'),
	];
	const found = (directory: string) => {
		const volume = findVolumeAt(states, directory);
		return volume && [volume.state.volumeId, volume.path];
	};

	t.deepEqual(found('/mnt'), ['outer', '']);
	t.deepEqual(found('/mnt/a/bc/d'), ['outer', 'a/bc/d']);
	t.deepEqual(found('/mnt/a/b/c'), ['inner', 'c']);
	t.deepEqual(found('/pods/2/x/y'), ['pods', 'x/y']);
	t.deepEqual(found('/state/m/x'), ['pods', 'x']);
	t.is(found('/mntx'), undefined);
});
