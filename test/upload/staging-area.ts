import {execFile} from 'node:child_process';
import {mkdir, readFile, readdir, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {promisify} from 'node:util';
import test from 'ava';
import {readJournal} from '../../src/upload/journal.ts';
import {StagingArea} from '../../src/upload/staging-area.ts';
import {errnoOf} from '../support/fs-under-test.ts';
import {root, testThatNeeds} from '../support/needs.ts';
import {createStagingDirectory} from '../support/volume-nodes.ts';
import {failNextSync, watchDisk} from './support/disk-steps.ts';
import {layerBytes, openStaging} from './support/staging.ts';

const run = promisify(execFile);

const request = {
	key: 'file',
	base: undefined,
	metadata: {'file-mtime': '1ns'},
	contentType: 'text/plain',
	sealedAtMs: 1000,
};

for (const isDurable of [true, false]) {
	test(`a layer that was recorded is found by the next start, byte for byte, ${isDurable ? 'durable' : 'not durable'}`, async t => {
		const staging = await openStaging(t, {isDurable});
		const layer = staging.createLayer({lowerBytes: 0});
		await layer.write(0, Buffer.from('0123456789'), {isAppend: false});
		layer.truncate(4);
		await layer.write(8, Buffer.from('end'), {isAppend: false});
		layer.setSource(1, 2, {kind: 'zero'});
		layer.seal();
		await staging.record(layer, request);
		const expected = await layerBytes(layer, Buffer.alloc(0));
		await staging.close();
		const restarted = await openStaging(t, {directory: staging.directory});
		const {layers, damaged} = await restarted.recover();
		t.deepEqual(damaged, []);
		t.is(layers.length, 1);
		const [{record, layer: recovered}] = layers as [(typeof layers)[0] & object];
		t.like(record, {...request, id: layer.id});
		t.deepEqual(await layerBytes(recovered, Buffer.alloc(0)), expected);
		t.deepEqual(expected.toString(), '0\u000023\0\0\0\0end');
		t.true(restarted.usedBytes > 0);
		await restarted.discard(recovered);
		t.is(restarted.usedBytes, 0);
		t.deepEqual(await readdir(staging.directory), []);
		await restarted.close();
	});
}

for (const [what, options, isDurable] of [
	['of a durable area', {isDurable: true}, undefined],
	['that is to be durable', {isDurable: false}, true],
] as const) {
	test(`the bytes of a layer ${what} are on stable storage before its record is`, async t => {
		const staging = await openStaging(t, options);
		const steps = watchDisk(t, staging.directory);
		const layer = staging.createLayer({lowerBytes: 0});
		await layer.write(0, Buffer.from('content'), {isAppend: false});
		layer.seal();
		await staging.record(layer, {...request, isDurable});
		t.deepEqual(steps, [
			'write data',
			'sync data',
			'write json.tmp',
			'sync json.tmp',
			'rename to json',
			'sync the directory',
		]);
		await staging.discard(layer);
	});
}

test('a layer whose bytes could not be synced once is never recorded as durable', async t => {
	const staging = await openStaging(t, {isDurable: true});
	failNextSync(staging.directory);
	const layer = staging.createLayer({lowerBytes: 0});
	await layer.write(0, Buffer.from('content'), {isAppend: false});
	layer.seal();
	for (const _ of ['the sync fails', 'the sync does not fail']) {
		await t.throwsAsync(staging.record(layer, request), {name: 'FsError'});
	}

	t.deepEqual((await readJournal(staging.directory)).records, []);
	await staging.discard(layer);
});

test('a layer that was not recorded is removed by the next start', async t => {
	const staging = await openStaging(t);
	await staging.createLayer({lowerBytes: 0}).write(0, Buffer.from('never synced'), {isAppend: false});
	await staging.close();
	const restarted = await openStaging(t, {directory: staging.directory});
	t.deepEqual(await restarted.recover(), {layers: [], damaged: [], unproven: []});
	t.deepEqual(await readdir(staging.directory), []);
});

test('a start leaves alone what this run has made meanwhile', async t => {
	const staging = await openStaging(t);
	const layer = staging.createLayer({lowerBytes: 0});
	await layer.write(0, Buffer.from('new'), {isAppend: false});
	await staging.recover();
	t.is((await layerBytes(layer, Buffer.alloc(0))).toString(), 'new');
	t.is((await readdir(staging.directory)).length, 1);
	await staging.close();
});

test('what may have lost bytes with the power is not taken, and kept for a person', async t => {
	const staging = await openStaging(t, {bootId: 'before'});
	const layer = staging.createLayer({lowerBytes: 0});
	await layer.write(0, Buffer.from('content'), {isAppend: false});
	layer.seal();
	await staging.record(layer, request);
	await staging.close();
	const restarted = await openStaging(t, {directory: staging.directory, bootId: 'after'});
	const keptAt = join(staging.directory, 'failed', `${layer.id}.data`);
	t.deepEqual(await restarted.recover(), {layers: [], damaged: [], unproven: [{key: 'file', keptAt}]});
	t.is(await readFile(keptAt, 'utf8'), 'content');
	t.deepEqual(await readdir(staging.directory), ['failed']);
});

test('a record that lies on one that is gone is not taken, and stays for a person to look at', async t => {
	const staging = await openStaging(t);
	const layer = staging.createLayer({lowerBytes: 10});
	await layer.write(10, Buffer.from('more'), {isAppend: true});
	layer.seal();
	await staging.record(layer, {...request, base: 'previous'});
	await staging.close();
	const restarted = await openStaging(t, {directory: staging.directory});
	t.deepEqual(await restarted.recover(), {layers: [], damaged: [`${layer.id}.json`], unproven: []});
	t.is((await readdir(staging.directory)).length, 2);
});

test('a record is never half written over: each flipped byte makes it damaged', async t => {
	const staging = await openStaging(t);
	const layer = staging.createLayer({lowerBytes: 0});
	await layer.write(0, Buffer.from('x'), {isAppend: false});
	layer.seal();
	await staging.record(layer, request);
	await staging.close();
	const file = join(staging.directory, `${layer.id}.json`);
	const whole = await readFile(file);
	for (let position = 0; position < whole.length - 1; position += 7) {
		const flipped = Buffer.from(whole);
		flipped[position]! ^= 1; // Within the length of the record.
		await writeFile(file, flipped);
		const {layers, damaged} = await (await openStaging(t, {directory: staging.directory})).recover();
		t.deepEqual([layers.length, damaged], [0, [`${layer.id}.json`]], `byte ${position}`);
	}

	for (let length = 0; length < whole.length - 1; length += 11) {
		await writeFile(file, whole.subarray(0, length));
		t.is(
			(await (await openStaging(t, {directory: staging.directory})).recover()).layers.length,
			0,
			`cut to ${length} bytes`,
		);
	}
});

test('layers of a later run sort after those of an earlier one, also when the clock was set back', async t => {
	const staging = await openStaging(t);
	const future = `${(Date.now() + 86_400_000).toString().padStart(14, '0')}-0000000007`;
	await writeFile(join(staging.directory, `${future}.data`), 'bytes');
	const restarted = await openStaging(t, {directory: staging.directory});
	t.true(restarted.createLayer({lowerBytes: 0}).id > future);
});

test('records of one layer that are written at the same time leave the newest', async t => {
	const staging = await openStaging(t);
	const layer = staging.createLayer({lowerBytes: 0});
	await layer.write(0, Buffer.from('x'), {isAppend: false});
	layer.seal();
	await Promise.all(
		Array.from({length: 20}, async (_, index) => staging.record(layer, {...request, key: `name ${index}`})),
	);
	const restarted = await openStaging(t, {directory: staging.directory});
	t.deepEqual(
		(await restarted.recover()).layers.map(({record}) => record.key),
		['name 19'],
	);
	await staging.discard(layer);
	await restarted.close();
});

test('discard() while the record is being written leaves nothing', async t => {
	const staging = await openStaging(t);
	const layer = staging.createLayer({lowerBytes: 0});
	await layer.write(0, Buffer.from('x'), {isAppend: false});
	layer.seal();
	const recording = staging.record(layer, request);
	await staging.discard(layer);
	await recording;
	t.deepEqual(await readdir(staging.directory), []);
	t.is(staging.usedBytes, 0);
});

test('a record is of the moment in which it was asked for, also when the layer moves before it is written', async t => {
	const staging = await openStaging(t);
	const layer = staging.createLayer({lowerBytes: 10});
	await layer.write(10, Buffer.from('more'), {isAppend: true});
	layer.seal();
	const {state} = layer;
	const recording = staging.record(layer, request);
	layer.displace(5);
	await recording;
	t.deepEqual((await readJournal(staging.directory)).records[0]?.layer, state);
	await staging.discard(layer);
});

for (const suffix of ['json', 'data']) {
	test(`bytes that are to be kept for a person are kept when the step is cut off at the ${suffix}`, async t => {
		const staging = await openStaging(t);
		const layer = staging.createLayer({lowerBytes: 0});
		await layer.write(0, Buffer.from('content'), {isAppend: false});
		layer.seal();
		await staging.record(layer, request);
		const failed = join(staging.directory, 'failed');
		await mkdir(join(failed, `${layer.id}.${suffix}`), {recursive: true});
		await t.throwsAsync(staging.keepFailed(layer), {code: 'EISDIR'});
		await staging.close();
		const restarted = await openStaging(t, {directory: staging.directory});
		const {layers, damaged} = await restarted.recover();
		if (suffix === 'data') {
			t.is(layers.length, 1);
		} else {
			t.deepEqual(damaged, [`${layer.id}.json`]);
			t.is(await readFile(join(failed, `${layer.id}.data`), 'utf8'), 'content');
		}

		await restarted.close();
	});
}

const {serial: asRoot} = testThatNeeds(root);

asRoot('a write and a record that meet a full disk are tried once more after others have made room', async t => {
	const directory = await createStagingDirectory(t);
	await run('mount', ['-n', '-t', 'tmpfs', '-o', 'size=1m', 'small', directory]);
	t.teardown(async () => run('umount', ['-l', directory]));
	const filler = join(directory, 'filler');
	let isRoomMade = true;
	let callCount = 0;
	const fill = async () => {
		await writeFile(filler, Buffer.alloc(2 ** 20)).catch(() => undefined);
	};

	const staging = await openStaging(t, {
		directory,
		makeRoom: async () => {
			callCount++;
			await (isRoomMade ? rm(filler) : undefined);
		},
	});
	t.teardown(async () => staging.close());
	const layer = staging.createLayer({lowerBytes: 0});
	await fill();
	await layer.write(0, Buffer.alloc(2 ** 16, 'x'), {isAppend: false});
	t.is(callCount, 1);
	await fill();
	layer.seal();
	await staging.record(layer, request);
	t.is(callCount, 2);
	t.deepEqual((await layerBytes(layer, Buffer.alloc(0))).toString(), 'x'.repeat(2 ** 16));
	isRoomMade = false;
	await fill();
	const other = staging.createLayer({lowerBytes: 0});
	t.is(await errnoOf(other.write(0, Buffer.alloc(2 ** 16), {isAppend: false})), 'ENOSPC');
	t.is(callCount, 3);
	await staging.discard(other);
	await staging.discard(layer);
	t.is(staging.usedBytes, 0);
});

test('a staging directory that is gone is a failure with an errno, not a crash', async t => {
	const staging = await openStaging(t);
	await rm(staging.directory, {recursive: true});
	const layer = staging.createLayer({lowerBytes: 0});
	await t.throwsAsync(layer.write(0, Buffer.from('x'), {isAppend: false}), {
		name: 'FsError',
		message: /Writing to the staging directory failed/,
	});
	layer.seal();
	await t.throwsAsync(staging.record(layer, request), {name: 'FsError'});
	t.is(staging.usedBytes, 0);
	t.true(staging instanceof StagingArea);
});
