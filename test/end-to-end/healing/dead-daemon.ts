import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {mountsAt, readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {spawnTestDevServer} from '../../support/dev-server.ts';
import {startContainer} from './support/container.ts';
import {
	createHealingNode,
	heal,
	inDirectory,
	keysOf,
	killDaemons,
	secretOptions,
	startWatch,
	stateOf,
} from './support/healing.ts';

test.serial(
	'watch heals a killed daemon: closed bytes reach S3, and containers with HostToContainer go on without a restart',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = await createHealingNode(t);
		const [first, second] = [node.podDirectory('uid-1'), node.podDirectory('uid-2')];
		const options = secretOptions(server, {durability: 'journal'});
		t.is((await node.mount(first, {...options, 'kubernetes.io/pod.name': 'one'})).reply.status, 'Success');
		t.is((await node.mount(second, {...options, 'kubernetes.io/readwrite': 'ro'})).reply.status, 'Success');
		const slave = await startContainer(t, {podDirectory: first, propagation: 'slave'});
		const isolated = await startContainer(t, {podDirectory: first, propagation: 'private'});
		const reader = await startContainer(t, {podDirectory: second, propagation: 'slave'});
		await server.setFaults({errors: [{operation: 'PutObject', status: 503, code: 'ServiceUnavailable'}]});
		t.is(await slave.run('echo closed >/data/closed; cat /data/closed'), 'closed');

		await killDaemons(node);
		t.regex(await slave.run('cat /data/closed'), /Transport endpoint is not connected/);
		await server.setFaults({});
		const watch = startWatch(t, node);
		const restart = await watch.notice('VolumeHealedRestartNeeded');
		t.deepEqual(
			restart?.pods.map(({path}) => path),
			[first],
		);
		t.regex(restart!.message, /delete the pod/);
		t.deepEqual(
			(await watch.notice('VolumeHealed'))?.pods.map(({path}) => path),
			[second],
		);
		t.is(await slave.run('cat /data/closed'), 'closed');
		t.is(await slave.run('echo after >/data/after; cat /data/after'), 'after');
		t.is(await reader.run('cat /data/after'), 'after');
		t.regex(await reader.run('echo x >/data/forbidden'), /Read-only file system/);
		t.regex(await inDirectory(second, 'echo x >"$1/forbidden"'), /Read-only file system/);
		t.regex(await isolated.run('cat /data/closed'), /Transport endpoint is not connected/);
		t.true(
			await watch.until(() =>
				watch.reports.at(-1)!.volumes.every(({restartCount, health}) => restartCount === 1 && health === 'healthy'),
			),
		);
		t.is(await watch.end(), 0);
		await isolated.stop();

		// The next death: a container that was started in between keeps working, too.
		const between = await startContainer(t, {podDirectory: first, propagation: 'slave'});
		await killDaemons(node);
		t.regex((await heal(node)).output, /can be used again/);
		for (const container of [slave, between]) {
			t.is(await container.run('cat /data/after'), 'after');
		}

		// One for each daemon.
		t.is(mountsAt(readMountTable(), first).length, 3);
		t.is(mountsAt(readMountTable(), second).length, 3);
		await between.stop();
		await slave.stop();
		await killDaemons(node);
		t.is((await heal(node, 'test')).exitCode, 0);
		t.is(await inDirectory(first, 'cat "$1/after"'), 'after');
		for (const directory of [first, second]) {
			t.is((await node.unmount(directory)).reply.status, 'Success');
			t.is(mountsAt(readMountTable(), directory).length, 0);
		}

		t.deepEqual(await keysOf(t, server), ['after', 'closed']);
		t.deepEqual(readdirSync(join(node.stateDirectory, 'volumes')), []);
		t.deepEqual(readdirSync(join(node.runDirectory, 'launch')), []);
	},
);

test.serial('a container that mounts read-only what its pod may write gets no writable mount from healing', async t => {
	const server = await spawnTestDevServer(t);
	const node = await createHealingNode(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, secretOptions(server));
	await inDirectory(directory, 'echo hello >"$1/file"');
	const container = await startContainer(t, {podDirectory: directory, propagation: 'slave', isReadOnly: true});
	await killDaemons(node);
	t.regex((await heal(node)).output, /until it is restarted/);
	t.is(await inDirectory(directory, 'cat "$1/file"'), 'hello');
	t.regex(await container.run('cat /data/file'), /Transport endpoint is not connected/);
	await t.notThrowsAsync(container.run('echo x >/data/forbidden'));
	t.deepEqual(await keysOf(t, server), ['file']);
});

test.serial(
	'a dead sub-path that the kubelet has bound for a container is taken off, so that the container can be started again',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = await createHealingNode(t);
		const directory = node.podDirectory('uid-1');
		const subPath = join(directory, '../../../volume-subpaths/v/main/0');
		await node.mount(directory, secretOptions(server));
		t.is(await inDirectory(directory, `mkdir "$1/sub"; mkdir -p "${subPath}"; mount --bind "$1/sub" "${subPath}"`), '');
		t.is(mountsAt(readMountTable(), subPath).length, 1);
		await killDaemons(node);
		t.is((await heal(node)).exitCode, 0);
		t.is(mountsAt(readMountTable(), subPath).length, 0);
		t.is(await inDirectory(directory, 'ls "$1"'), 'sub');
	},
);

test.serial('a new pod brings the dead mounts of the others to life, as heal does', async t => {
	const server = await spawnTestDevServer(t);
	const node = await createHealingNode(t);
	const [first, second] = [node.podDirectory('uid-1'), node.podDirectory('uid-2')];
	await node.mount(first, secretOptions(server));
	const container = await startContainer(t, {podDirectory: first, propagation: 'slave'});
	await container.run('echo hello >/data/file');
	await killDaemons(node);
	t.is((await node.mount(second, secretOptions(server))).output, '{"status":"Success"}\n');
	t.is(await container.run('cat /data/file'), 'hello');
	t.is((await heal(node)).output, 'test: nothing to heal\n');
	t.is(stateOf(node).pods.length, 2);
	await killDaemons(node);
	t.is((await node.unmount(second)).reply.status, 'Success');
	t.regex((await heal(node)).output, /can be used again/);
	t.is(await container.run('cat /data/file'), 'hello');
});

test.serial(
	'a dead volume whose credentials are gone waits for its pods to be restarted, and says so once',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = await createHealingNode(t, {PNX_VOLUME_RUN_DIR: '/proc/no-run-directory'});
		const directory = node.podDirectory('uid-1');
		t.is((await node.mount(directory, secretOptions(server))).reply.status, 'Success');
		await killDaemons(node);
		const watch = startWatch(t, node);
		t.regex((await watch.notice('VolumeNeedsPodRestart'))?.message ?? '', /Delete every pod/);
		const seen = watch.reports.length;
		t.true(await watch.until(() => watch.reports.length > seen + 20));
		t.is(watch.notices.length, 1);
		await watch.end('SIGTERM');
		const {output, exitCode} = await heal(node);
		t.is(exitCode, 1);
		t.regex(output, /cannot be started again without its pods/);
		t.is(mountsAt(readMountTable(), directory).length, 1);
		t.is((await node.unmount(directory)).reply.status, 'Success');
	},
);
