import {readdirSync, readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {healVolume} from '../../../src/healing/heal-volume.ts';
import {isRunning} from '../../../src/node/host/process-identity.ts';
import {mountsAt, readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {readNodeEnvironment} from '../../../src/node/node-environment.ts';
import {spawnTestDevServer} from '../../support/dev-server.ts';
import {startContainer} from './support/container.ts';
import {createStandInHarness} from '../../support/driver.ts';
import {createHealingNode, inDirectory, keysOf, secretOptions, startWatch, stateOf} from './support/healing.ts';

test.serial(
	'watch ends a daemon that does not answer, after writing down what it does, and starts it again',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = await createHealingNode(t);
		const directory = node.podDirectory('uid-1');
		await node.mount(directory, secretOptions(server));
		const container = await startContainer(t, {podDirectory: directory, propagation: 'slave'});
		await container.run('echo hello >/data/file');
		const {pid} = stateOf(node).daemon!;
		process.kill(pid, 'SIGSTOP');
		const watch = startWatch(t, node);
		const notice = await watch.notice('VolumeHealed');
		t.regex(
			notice?.message ?? '',
			/did not answer any more; it was ended and started again \(what it was doing is in .*hang-.*\.txt/,
		);
		t.is(await container.run('cat /data/file'), 'hello');
		const volumeDirectory = join(node.stateDirectory, 'volumes', stateOf(node).volumeId);
		const [dump] = readdirSync(volumeDirectory).filter(name => name.startsWith('hang-'));
		const text = readFileSync(join(volumeDirectory, dump!), 'utf8');
		t.regex(text, new RegExp(`State:\\s+T \\(stopped\\)[^]*\\n${pid} \\S+ T ticks 0 `));
		t.false(text.includes(server.credentials.secretAccessKey));
		t.is(statSync(join(volumeDirectory, dump!)).mode & 0o777, 0o600);
		t.true(await watch.until(() => watch.reports.at(-1)?.volumes[0]?.health === 'healthy'));
		t.is((await node.unmount(directory)).reply.status, 'Success');
		t.deepEqual(await keysOf(t, server), ['file']);
	},
);

test.serial('watch ends a daemon in a busy loop, and the dump tells which thread turns', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, {name: 'bucket-1'});
	const {pid} = stateOf(node).daemon!;
	process.kill(pid, 'SIGUSR2');
	const watch = startWatch(t, node, '--silent-rounds', '1');
	t.truthy(await watch.notice('VolumeHealed'));
	t.not(stateOf(node).daemon!.pid, pid);
	const volumeDirectory = join(node.stateDirectory, 'volumes', stateOf(node).volumeId);
	const [dump] = readdirSync(volumeDirectory).filter(name => name.startsWith('hang-'));
	t.regex(readFileSync(join(volumeDirectory, dump!), 'utf8'), new RegExp(`\n${pid} \\S+ R ticks [1-9]`));
});

test.serial('watch spares a daemon that answers again before it counts as hanging', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, {name: 'bucket-1'});
	const {daemon} = stateOf(node);
	process.kill(daemon!.pid, 'SIGSTOP');
	const watch = startWatch(t, node, '--silent-rounds', '1000');
	t.true(await watch.until(() => watch.reports.filter(({volumes}) => volumes[0]?.health === 'hanging').length > 3));
	process.kill(daemon!.pid, 'SIGCONT');
	t.true(await watch.until(() => watch.reports.at(-1)?.volumes[0]?.health === 'healthy'));
	t.deepEqual(stateOf(node).daemon, daemon);
	t.deepEqual(watch.notices, []);
	t.is((await node.unmount(directory)).reply.status, 'Success');
});

test.serial('healing spares a daemon that is slow to answer and that nobody has found to hang', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, {name: 'bucket-1'});
	const {daemon, volumeId} = stateOf(node);
	process.kill(daemon!.pid, 'SIGSTOP');
	t.deepEqual(await healVolume(volumeId, readNodeEnvironment(node.variables, '')), {outcome: 'well'});
	t.true(isRunning(daemon!));
	process.kill(daemon!.pid, 'SIGCONT');
	t.deepEqual(stateOf(node).daemon, daemon);
	t.is((await node.unmount(directory)).reply.status, 'Success');
});

test.serial('watch leaves a daemon alone that answers on its socket while all its threads wait for S3', async t => {
	const server = await spawnTestDevServer(t);
	const node = await createHealingNode(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, secretOptions(server));
	const {pid} = stateOf(node).daemon!;
	await server.setFaults({stalls: [{operation: 'PutObject', when: 'before'}]});
	const writing = inDirectory(directory, 'for i in $(seq 80); do (echo x >"$1/file-$i") & done; wait');
	const watch = startWatch(t, node, '--silent-rounds', '1');
	t.true(await watch.until(() => watch.reports.filter(({volumes}) => volumes[0]?.health === 'failing').length > 3));
	t.is(stateOf(node).daemon?.pid, pid);
	t.deepEqual(watch.notices, []);
	await server.setFaults({});
	t.is(await writing, '');
	t.is((await keysOf(t, server)).length, 80);
	t.is(stateOf(node).daemon?.pid, pid);
	await watch.end();
	t.is((await node.unmount(directory)).reply.status, 'Success');
});

test.serial("what is mounted below a volume's directory is never deleted when the volume is forgotten", async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, {name: 'bucket-1'});
	const volumeDirectory = join(node.stateDirectory, 'volumes', stateOf(node).volumeId);
	const [precious, below] = [join(node.kubeletDirectory, 'precious'), join(volumeDirectory, 'cache', 'below')];
	t.is(await inDirectory(precious, `mkdir "$1" "${below}"; echo x >"$1/file"; mount --bind "$1" "${below}"`), '');
	t.is((await node.unmount(directory)).reply.status, 'Success');
	t.is(readFileSync(join(precious, 'file'), 'utf8'), 'x\n');
	t.deepEqual(readdirSync(volumeDirectory), ['cache']);
});

test.serial('unmount ends on stacked mounts of a daemon that is stopped and of one that is dead', async t => {
	const server = await spawnTestDevServer(t);
	const node = await createHealingNode(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, secretOptions(server));
	const container = await startContainer(t, {podDirectory: directory, propagation: 'slave'});
	await container.run('echo hello >/data/file');
	process.kill(stateOf(node).daemon!.pid, 'SIGKILL');
	const watch = startWatch(t, node);
	await watch.notice('VolumeHealed');
	await watch.end('SIGKILL');
	t.is(mountsAt(readMountTable(), directory).length, 2);
	process.kill(stateOf(node).daemon!.pid, 'SIGSTOP');
	const unmounted = await node.unmount(directory);
	t.is(unmounted.output, '{"status":"Success"}\n');
	t.true(unmounted.durationMs < 90_000);
	t.is(mountsAt(readMountTable(), directory).length, 0);
	t.regex(await container.run('cat /data/file'), /Transport endpoint|No such file/);
	t.is(await inDirectory(directory, 'ls -A "$1"'), '');
	t.deepEqual(await keysOf(t, server), ['file']);
});
