/** What the watch says about volumes that need no healing. */
import {readdirSync, readFileSync, truncateSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {crc32} from 'node:zlib';
import test from 'ava';
import {createDeadline, waitUntil} from '../../../src/node/deadline.ts';
import {mountsAt, readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {createTestDirectory, spawnTestDevServer} from '../../support/dev-server.ts';
import {volumePaths} from '../../../src/node/volumes/volume-directory.ts';
import {
	createHealingNode,
	inDirectory,
	keysOf,
	killDaemons,
	runPnxVolume,
	secretOptions,
	startWatch,
	stateOf,
} from './support/healing.ts';

test.serial('failing requests, and their recovery, are reported once each', async t => {
	const server = await spawnTestDevServer(t);
	const node = await createHealingNode(t);
	const directory = node.podDirectory('uid-1');
	t.is(
		(await node.mount(directory, secretOptions(server, {durability: 'journal', timeout: '5s'}))).reply.status,
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

test.serial(
	'bytes that a loss of power may have damaged are kept, in an Event of the pods and a line of the status',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = await createHealingNode(t);
		const directory = node.podDirectory('uid-1');
		t.is((await node.mount(directory, secretOptions(server))).reply.status, 'Success');
		t.is(await inDirectory(directory, 'echo good >"$1/file"'), '');
		await server.setFaults({holds: [{operation: 'PutObject', key: 'file'}]});
		await server.clearRequests();
		// One open and one close, over more bytes than are uploaded without a record.
		const source = join(await createTestDirectory(t), 'source');
		writeFileSync(source, 'x'.repeat(1_000_000));
		const writing = inDirectory(directory, `cp ${source} "$1/file"`);
		t.true(
			await waitUntil(
				async () => (await server.countRequests({operation: 'PutObject'})) > 0,
				createDeadline(90_000),
				20,
			),
		);
		await killDaemons(node);
		t.not(await writing, '', 'The program was not told that its bytes are safe');
		await server.setFaults({});

		// A power cut: the record is of another run of the kernel, and a page of the bytes never came to the disk.
		const {staging} = volumePaths(node.stateDirectory, stateOf(node).volumeId);
		const [record = ''] = readdirSync(staging).filter(name => name.endsWith('.json'));
		const [line = ''] = readFileSync(join(staging, record), 'utf8').split('\n');
		const {bootId} = JSON.parse(line) as {bootId: string};
		t.is(bootId, readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
		const before = line.replace(bootId, '00000000-0000-4000-8000-000000000000');
		writeFileSync(join(staging, record), `${before}\n${crc32(before).toString(16).padStart(8, '0')}\n`);
		const data = join(staging, record.replace('.json', '.data'));
		truncateSync(data, 500_000);
		truncateSync(data, 1_000_000);

		const watch = startWatch(t, node);
		const kept = await watch.notice('VolumeBytesKept');
		t.like(kept, {type: 'Warning', bucket: server.bucket});
		t.deepEqual(
			kept?.pods.map(({path}) => path),
			[directory],
		);
		t.regex(kept!.message, /of bucket test are not in S3 .*a loss of power may have damaged them/);
		t.true(kept!.message.includes(join(staging, 'failed')));
		t.true(await watch.until(() => watch.reports.at(-1)?.volumes[0]?.health === 'healthy'));
		t.is(watch.reports.at(-1)?.volumes[0]?.refused?.directory, join(staging, 'failed'));
		t.is(watch.notices.filter(({reason}) => reason === 'VolumeBytesKept').length, 1);
		t.is(readdirSync(join(staging, 'failed')).length, 2);
		t.regex(
			(await runPnxVolume(node, 'status')).output,
			/that S3 refused for good, or that a loss of power may have damaged, are kept in \/\S+\/staging\/failed;/,
		);
		t.is(await inDirectory(directory, 'cat "$1/file"'), 'good', 'What S3 has is not replaced');
	},
);
