import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {PodLogFields} from '../../src/daemon/pod-log-fields.ts';
import {createDeadline, waitUntil} from '../../src/node/deadline.ts';
import {writeVolumeState, type PodMount} from '../../src/node/volumes/volume-state.ts';

const createStateFile = (t: ExecutionContext): {stateFile: string; write: (pods: readonly PodMount[]) => void} => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	const stateFile = join(directory, 'state.json');
	return {
		stateFile,
		write: pods =>
			writeVolumeState(stateFile, {
				formatVersion: 1,
				volumeId: '0123456789abcdef',
				bucket: 'b',
				prefix: '',
				kind: 'pods',
				mountPoint: '/m',
				pods,
			}),
	};
};

const pod = (name: string): PodMount => ({path: `/pods/${name}`, namespace: 'shop', name});

test('a daemon without a state file, or whose directories have no pod, names none', t => {
	const {stateFile, write} = createStateFile(t);
	t.deepEqual(new PodLogFields(stateFile).current(), {});
	write([{path: '/mnt'}]);
	t.deepEqual(new PodLogFields(stateFile).current(), {});
});

test('one pod is named, several are listed, many are counted', t => {
	const {stateFile, write} = createStateFile(t);
	write([pod('a')]);
	t.deepEqual(new PodLogFields(stateFile).current(), {pod: 'shop/a'});
	write([pod('a'), {path: '/mnt'}, pod('b')]);
	t.deepEqual(new PodLogFields(stateFile).current(), {pods: ['shop/a', 'shop/b']});
	write(Array.from({length: 30}, (_, index) => pod(`web-${index}`)));
	t.like(new PodLogFields(stateFile).current(), {
		pods: Array.from({length: 8}, (_, index) => `shop/web-${index}`),
		podCount: 30,
	});
});

test('pods that come and go are seen soon', async t => {
	const {stateFile, write} = createStateFile(t);
	write([pod('a')]);
	const pods = new PodLogFields(stateFile);
	t.deepEqual(pods.current(), {pod: 'shop/a'});
	write([pod('a'), pod('b')]);
	t.true(await waitUntil(() => !('pod' in pods.current()), createDeadline(300_000)));
	t.deepEqual(pods.current(), {pods: ['shop/a', 'shop/b']});
});
