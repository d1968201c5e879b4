/** What the watch says about volumes that need no healing. */
import test from 'ava';
import {createDeadline, waitUntil} from '../../../src/node/deadline.ts';
import {mountsAt, readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {spawnTestDevServer} from '../../support/dev-server.ts';
import {createHealingNode, inDirectory, keysOf, secretOptions, startWatch} from './support/healing.ts';

test.serial('failing requests, and their recovery, are reported once each', async t => {
	const server = await spawnTestDevServer(t);
	const node = await createHealingNode(t);
	const directory = node.podDirectory('uid-1');
	t.is(
		(await node.mount(directory, secretOptions(server, {durability: 'journal', timeout: '1s'}))).reply.status,
		'Success',
	);
	const watch = startWatch(t, node);
	await server.setFaults({
		errors: [{operation: 'PutObject', status: 503, code: 'ServiceUnavailable', message: 'Come again'}],
	});
	t.is(await inDirectory(directory, 'echo hello >"$1/file"'), '');
	const failing = await watch.notice('VolumeFailing');
	t.like(failing, {type: 'Warning', bucket: server.bucket});
	t.deepEqual(
		failing?.pods.map(({path}) => path),
		[directory],
	);
	t.regex(failing!.message, /Requests to bucket test fail: .+ They are tried again/);
	await server.setFaults({});
	t.like(await watch.notice('VolumeRecovered'), {type: 'Normal', bucket: server.bucket});
	t.deepEqual(
		watch.notices.map(({reason}) => reason),
		['VolumeFailing', 'VolumeRecovered'],
	);
	t.true(watch.reports.at(-1)!.volumes.every(({restartCount}) => restartCount === 0));
	t.is((await node.unmount(directory)).reply.status, 'Success');
	t.deepEqual(await keysOf(t, server), ['file']);
});

test.serial(
	'an S3 that never answers: the watch tells of uploads that do not move, and unmount ends, refuses, and succeeds once S3 is back',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = await createHealingNode(t, {PNX_VOLUME_DRAIN_TIMEOUT_MS: '1500'});
		const directory = node.podDirectory('uid-1');
		t.is(
			(await node.mount(directory, secretOptions(server, {durability: 'journal', timeout: '20s'}))).reply.status,
			'Success',
		);
		await inDirectory(directory, 'ls "$1"');
		await server.setFaults({stalls: [{operation: 'PutObject', when: 'before'}]});
		t.is(await inDirectory(directory, 'echo hello >"$1/file"'), '');
		const watch = startWatch(t, node, '--stuck-after', '600ms');
		const stuck = await watch.notice('VolumeUploadStuck');
		t.regex(
			stuck?.message ?? '',
			/of bucket test have waited for their upload .* without progress and without an error/,
		);

		const refused = await node.unmount(directory);
		t.is(refused.reply.status, 'Failure');
		t.regex(refused.reply.message!, /Cannot unmount .* yet: 6 bytes of bucket test are not in S3/i);
		t.true(refused.durationMs < 90_000, `${refused.durationMs}`);
		t.is(mountsAt(readMountTable(), directory).length, 1);
		t.is(await inDirectory(directory, 'cat "$1/file"'), 'hello');
		await server.setFaults({});
		t.true(
			await waitUntil(
				async () => (await node.unmount(directory)).reply.status === 'Success',
				createDeadline(90_000),
				100,
			),
		);
		t.deepEqual(await keysOf(t, server), ['file']);
		t.is(watch.notices.filter(({reason}) => reason === 'VolumeUploadStuck').length, 1);
	},
);
