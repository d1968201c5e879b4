/** What killed calls leave, and nobody but the watch comes for. */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {createDeadline, waitUntil} from '../../../src/node/deadline.ts';
import {protectDirectory} from '../../../src/node/mounts/immutable-directory.ts';
import {mountsAt, readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {isRunning} from '../../../src/node/host/process-identity.ts';
import {spawnTestDevServer} from '../../support/dev-server.ts';
import {driverPath, toKubeletJson} from '../../support/driver.ts';
import {
	createHealingNode,
	heal,
	inDirectory,
	killDaemons,
	secretOptions,
	startWatch,
	stateOf,
} from './support/healing.ts';

const canBeRemoved = (directory: string): boolean => {
	try {
		rmdirSync(directory);
		return true;
	} catch {
		return false; // Immutable still.
	}
};

test.serial(
	"the watch ends a daemon whose driver was killed in the middle of the mount, and the kubelet can remove the pod's directory",
	async t => {
		const server = await spawnTestDevServer(t);
		const node = await createHealingNode(t);
		const directory = node.podDirectory('uid-1');
		await server.setFaults({latencyMs: 200});
		const driver = spawn(driverPath, ['mount', directory, toKubeletJson(directory, secretOptions(server))], {
			detached: true,
			env: {PATH: process.env['PATH'], ...node.variables},
			stdio: 'ignore',
		});
		const ended = once(driver, 'exit');
		t.true(await waitUntil(async () => (await server.countRequests()) > 0, createDeadline(300_000), 5));
		process.kill(-driver.pid!, 'SIGKILL'); // It has asked S3, so it runs.
		await ended;
		const {volumeId} = stateOf(node);
		const daemon = stateOf(node).daemon!;
		t.true(isRunning(daemon));

		const watch = startWatch(t, node, '--unused-after', '100ms', '--keep-for', '10ms');
		t.true(await watch.until(() => readdirSync(join(node.stateDirectory, 'volumes')).length === 0));
		t.false(isRunning(daemon));
		t.true(await watch.until(() => canBeRemoved(directory)));
		t.true(
			await watch.until(
				() =>
					!existsSync(join(node.runDirectory, 'launch', `${volumeId}.json`)) &&
					readdirSync(join(node.stateDirectory, 'locks')).length === 0,
			),
		);
		t.deepEqual(watch.notices, []);
		t.is(await watch.end(), 0);
	},
);

test.serial(
	'the watch releases the directory of a pod whose mount was killed while other pods use the volume',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = await createHealingNode(t);
		const [used, killed] = [node.podDirectory('uid-1'), node.podDirectory('uid-2')];
		t.is((await node.mount(used, secretOptions(server))).reply.status, 'Success');
		const state = stateOf(node);
		const stateFile = join(node.stateDirectory, 'volumes', state.volumeId, 'state.json');
		// As a driver leaves it that is killed before it binds.
		writeFileSync(stateFile, JSON.stringify({...state, pods: [...state.pods, {path: killed}]}));
		await protectDirectory(killed, createDeadline(300_000));

		const watch = startWatch(t, node);
		t.true(await watch.until(() => stateOf(node).pods.length === 1));
		t.true(canBeRemoved(killed));
		t.is(await inDirectory(used, 'echo hello >"$1/file"; cat "$1/file"'), 'hello');
		t.deepEqual([watch.notices, stateOf(node).daemon], [[], state.daemon]);
		t.is((await node.unmount(used)).reply.status, 'Success');
	},
);

test.serial(
	'the watch takes away volume directories, launch records and lock files of which nothing else is left, and no others',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = await createHealingNode(t);
		const directory = node.podDirectory('uid-1');
		t.is((await node.mount(directory, secretOptions(server))).reply.status, 'Success');
		const {volumeId} = stateOf(node);
		const volumes = join(node.stateDirectory, 'volumes');
		const [launch, locks] = [join(node.runDirectory, 'launch'), join(node.stateDirectory, 'locks')];
		const [lock] = readdirSync(locks);
		const [empty, withJournal, unreadable] = ['0'.repeat(16), '1'.repeat(16), '2'.repeat(16)] as const;
		mkdirSync(join(volumes, empty, 'cache'), {recursive: true});
		writeFileSync(join(volumes, empty, 'lock.db'), '');
		mkdirSync(join(volumes, withJournal, 'staging'), {recursive: true});
		writeFileSync(join(volumes, withJournal, 'staging', 'layer'), 'bytes');
		mkdirSync(join(volumes, unreadable));
		writeFileSync(join(volumes, unreadable, 'state.json'), '{"formatVersion":2}');
		writeFileSync(join(launch, `${empty}.json`), readFileSync(join(launch, `${volumeId}.json`)));
		writeFileSync(join(locks, `${'a'.repeat(32)}.db`), '');

		const watch = startWatch(t, node);
		t.true(
			await watch.until(
				() =>
					!existsSync(join(volumes, empty)) &&
					!existsSync(join(launch, `${empty}.json`)) &&
					readdirSync(locks).length === 1,
			),
		);
		const seen = watch.reports.length;
		t.true(await watch.until(() => watch.reports.length > seen + 3));
		t.deepEqual(readdirSync(volumes).sort(), [withJournal, unreadable, volumeId].sort());
		t.is(readFileSync(join(volumes, withJournal, 'staging', 'layer'), 'utf8'), 'bytes');
		t.deepEqual([readdirSync(launch), readdirSync(locks)], [[`${volumeId}.json`], [lock]]);
		t.deepEqual(watch.notices, []);
		t.is((await node.unmount(directory)).reply.status, 'Success');
	},
);

test.serial(
	'a volume whose first driver was killed before it had written everything down is healed all the same once a pod has come',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = await createHealingNode(t);
		const [first, second] = [node.podDirectory('uid-1'), node.podDirectory('uid-2')];
		// As systemd makes all mounts.
		mkdirSync(node.stateDirectory);
		t.is(await inDirectory(node.stateDirectory, 'mount --bind "$1" "$1"; mount --make-shared "$1"'), '');
		await server.setFaults({latencyMs: 100});
		const driver = spawn(driverPath, ['mount', first, toKubeletJson(first, secretOptions(server))], {
			detached: true,
			env: {PATH: process.env['PATH'], ...node.variables},
			stdio: 'ignore',
		});
		const ended = once(driver, 'exit');
		t.true(await waitUntil(async () => (await server.countRequests()) > 0, createDeadline(300_000), 5));
		process.kill(-driver.pid!, 'SIGKILL'); // It has asked S3, so it runs.
		await ended;
		const {daemon, mountPoint} = stateOf(node);
		t.true(await waitUntil(() => mountsAt(readMountTable(), mountPoint).length > 0, createDeadline(300_000)));
		t.is((await node.mount(second, secretOptions(server))).reply.status, 'Success');
		t.deepEqual(stateOf(node).daemon, daemon);
		t.like(mountsAt(readMountTable(), mountPoint)[0], {peerGroup: undefined, masterGroup: undefined});
		t.is(await inDirectory(second, 'echo hello >"$1/file"; cat "$1/file"'), 'hello');
		await killDaemons(node);
		t.is((await heal(node)).exitCode, 0);
		t.is(await inDirectory(second, 'cat "$1/file"'), 'hello');
		t.is((await node.unmount(second)).reply.status, 'Success');
	},
);
