import {readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import test from 'ava';
import {createDeadline, waitUntil} from '../../../src/node/deadline.ts';
import {mountsAt, readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {isRunning, readProcessIdentity} from '../../../src/node/host/process-identity.ts';
import {spawnTestDevServer} from '../../support/dev-server.ts';
import {createStandInHarness} from '../../support/driver.ts';
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

test.serial('a daemon that keeps dying is started later each time, which is reported once', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	t.is((await node.mount(directory, {name: 'bucket-1'})).reply.status, 'Success');
	const watch = startWatch(t, node);
	for (let deathCount = 1; deathCount <= 3; deathCount++) {
		await killDaemons(node);
		t.true(await watch.until(() => watch.reports.at(-1)?.volumes[0]?.restartCount === deathCount), `${deathCount}`);
	}

	const started = node.starts();
	t.is(started.length, 4);
	t.deepEqual(started[3]!.request.options, started[0]!.request.options);
	t.regex((await watch.notice('VolumeCrashLoop'))?.message ?? '', /has died 3 times in a row/);
	await killDaemons(node);
	t.true(
		await watch.until(() => watch.reports.some(({atMs, volumes}) => (volumes[0]?.nextAttemptAtMs ?? 0) > atMs + 1000)),
	);
	t.is(watch.notices.filter(({reason}) => reason === 'VolumeCrashLoop').length, 1);
	t.is(await watch.end(), 0);
});

test.serial('a watch that is killed while it heals is followed by one that ends the work', async t => {
	const server = await spawnTestDevServer(t);
	const node = await createHealingNode(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, secretOptions(server));
	await inDirectory(directory, 'echo hello >"$1/file"');
	await killDaemons(node);
	const before = stateOf(node).daemon!;
	const first = startWatch(t, node);
	// It is written down before it is ready: the watch waits for it now.
	t.true(await waitUntil(() => stateOf(node).daemon?.pid !== before.pid, createDeadline(300_000), 1));
	await first.end('SIGKILL');
	const second = startWatch(t, node);
	t.true(
		await second.until(() =>
			mountsAt(readMountTable(), directory).some(
				({device}) => device === mountsAt(readMountTable(), stateOf(node).mountPoint).at(-1)?.device,
			),
		),
	);
	t.true(await second.until(() => second.reports.at(-1)?.volumes[0]?.health === 'healthy'));
	t.is(await inDirectory(directory, 'cat "$1/file"'), 'hello');
	t.is((await node.unmount(directory)).reply.status, 'Success');
});

test.serial(
	'heal, mounts and unmounts of one dead volume at the same time leave every pod with a mount that works',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = await createHealingNode(t);
		const [first, second, third] = ['uid-1', 'uid-2', 'uid-3'].map(uid => node.podDirectory(uid));
		await node.mount(first!, secretOptions(server));
		await node.mount(second!, secretOptions(server));
		await inDirectory(first!, 'echo hello >"$1/file"');
		await killDaemons(node);
		const [healed, mounted, unmounted, again] = await Promise.all([
			heal(node),
			node.mount(third!, secretOptions(server)),
			node.unmount(second!),
			heal(node),
		]);
		t.deepEqual(
			[healed.exitCode, mounted.reply.status, unmounted.reply.status, again.exitCode],
			[0, 'Success', 'Success', 0],
		);
		for (const directory of [first!, third!]) {
			t.is(await inDirectory(directory, 'cat "$1/file"'), 'hello');
		}

		t.is(mountsAt(readMountTable(), second!).length, 0);
		t.deepEqual(
			stateOf(node)
				.pods.map(({path}) => path)
				.sort(),
			[first, third],
		);
	},
);

test.serial("the watch renews a pod's mount of an earlier daemon although the daemon of now is well", async t => {
	const node = createStandInHarness(t);
	const [old, other] = [node.podDirectory('uid-1'), node.podDirectory('uid-2')];
	await node.mount(old, {name: 'bucket-1'});
	await killDaemons(node);
	await node.mount(other, {name: 'bucket-1'});
	t.is(await inDirectory(old, 'umount "$1"'), ''); // As if it could not be renewed.
	const {daemon, mountPoint} = stateOf(node);
	const watch = startWatch(t, node);
	const deviceAt = (path: string) => mountsAt(readMountTable(), path).at(-1)?.device;
	t.true(await watch.until(() => deviceAt(old) === deviceAt(mountPoint)));
	t.deepEqual(stateOf(node).daemon, daemon);
	t.is(await watch.end(), 0);
});

test.serial('what an older boot has left brings no notice and starts nothing, and is taken away', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, {name: 'bucket-1'});
	const state = stateOf(node);
	const stateFile = join(node.stateDirectory, 'volumes', state.volumeId, 'state.json');
	await node.unmount(directory);
	// As a reboot leaves it: files, but no mounts; and the old pid belongs to somebody else now.
	await node.mount(directory, {name: 'bucket-1'});
	const text = readFileSync(stateFile, 'utf8');
	await killDaemons(node);
	await inDirectory(directory, `umount "$1" "${state.mountPoint}"`);
	const other = readProcessIdentity(process.pid)!;
	writeFileSync(
		stateFile,
		JSON.stringify({...(JSON.parse(text) as object), daemon: {...other, bootId: 'of-another-boot'}}),
	);
	const startCount = node.starts().length;
	const watch = startWatch(t, node, '--keep-for', '10ms');
	t.true(await watch.until(() => readdirSync(join(node.stateDirectory, 'volumes')).length === 0));
	t.deepEqual(watch.notices, []);
	t.is(node.starts().length, startCount);
	t.true(isRunning(other));
});

test.serial('the journal of a volume without pods is uploaded, and nothing of the volume stays', async t => {
	const server = await spawnTestDevServer(t);
	const node = await createHealingNode(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, secretOptions(server, {durability: 'journal'}));
	await server.setFaults({errors: [{operation: 'PutObject', status: 503, code: 'ServiceUnavailable'}]});
	await inDirectory(directory, 'echo precious >"$1/file"');
	await killDaemons(node);
	t.is((await node.unmount(directory)).reply.status, 'Success');
	await server.setFaults({});
	const watch = startWatch(t, node, '--keep-for', '10ms', '--unused-after', '100ms');
	t.true(await watch.until(() => readdirSync(join(node.stateDirectory, 'volumes')).length === 0));
	t.deepEqual(await keysOf(t, server), ['file']);
	t.deepEqual(readdirSync(join(node.runDirectory, 'launch')), []);
	t.deepEqual(watch.notices, []);
	t.deepEqual(
		readMountTable().filter(({path}) => path.startsWith(`${dirname(node.stateDirectory)}/state/`)),
		[],
	);
});
