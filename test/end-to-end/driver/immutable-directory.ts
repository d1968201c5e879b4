/**
What lies under a mount: an empty directory that nobody can write to, not even root, until the mount is taken away.
*/
import {spawnSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createDeadline} from '../../../src/node/deadline.ts';
import {detachMounts} from '../../../src/node/mounts/bind-mount.ts';
import {protectDirectory, releaseDirectory} from '../../../src/node/mounts/immutable-directory.ts';
import {volumePaths} from '../../../src/node/volumes/volume-directory.ts';
import {createStandInHarness} from '../../support/driver.ts';
import {testThatNeeds} from '../../support/needs.ts';

/** Why directories cannot be made immutable here; `undefined` when they can. */
const findObstacle = (): string | undefined => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-immutable-'));
	try {
		const {status, stderr, error} = spawnSync('chattr', ['+i', directory], {encoding: 'utf8'});
		spawnSync('chattr', ['-i', directory]);
		return status === 0 ? undefined : `chattr: ${error?.message ?? stderr.trim()}`;
	} finally {
		rmdirSync(directory);
	}
};

const {test: testImmutable} = testThatNeeds({what: 'immutable directories', missing: findObstacle()});
const succeeded = '{"status":"Success"}\n';

testImmutable(
	"mount leaves nothing to write to below it, neither at the pod nor at the volume's own mount, and unmount leaves a directory that can be removed",
	async t => {
		const node = createStandInHarness(t);
		const directory = node.podDirectory('uid-1');
		t.is((await node.mount(directory, {name: 'bucket-1'})).output, succeeded);
		// It is mounted, so one has started.
		const {mountPoint} = volumePaths(node.stateDirectory, node.starts()[0]!.request.volumeId);
		writeFileSync(join(directory, 'file'), 'in the volume');
		for (const path of [directory, mountPoint]) {
			await detachMounts(path, createDeadline(300_000));
			t.throws(() => writeFileSync(join(path, 'file'), 'on the disk of the node'), {code: 'EPERM'}, path);
		}

		t.is((await node.unmount(directory)).output, succeeded);
		t.notThrows(() => rmdirSync(directory));
	},
);

testImmutable(
	'a failed mount, and the unmount of a path that nobody knows, leave a directory that can be removed',
	async t => {
		const node = createStandInHarness(t);
		const [failed, unknown] = [node.podDirectory('uid-1'), node.podDirectory('uid-2')];
		t.is((await node.mount(failed, {name: 'fails-1'})).reply.status, 'Failure');
		t.notThrows(() => rmdirSync(failed));

		await protectDirectory(unknown, createDeadline(300_000));
		t.throws(() => rmdirSync(unknown), {code: 'EPERM'});
		t.is((await node.unmount(unknown)).output, succeeded);
		t.notThrows(() => rmdirSync(unknown));
	},
);

testImmutable(
	'after a reboot, the next mount of a volume releases the directories of pods that went with it',
	async t => {
		const node = createStandInHarness(t);
		const [gone, next] = [node.podDirectory('uid-1'), node.podDirectory('uid-2')];
		t.is((await node.mount(gone, {name: 'bucket-1'})).output, succeeded);
		const [start] = node.starts();
		process.kill(start!.pid, 'SIGKILL'); // It is mounted, so one has started.
		await detachMounts(gone, createDeadline(300_000));
		await detachMounts(volumePaths(node.stateDirectory, start!.request.volumeId).mountPoint, createDeadline(300_000));
		t.throws(() => rmdirSync(gone), {code: 'EPERM'});
		t.is((await node.mount(next, {name: 'bucket-1'})).output, succeeded);
		t.notThrows(() => rmdirSync(gone));
		t.is((await node.unmount(next)).output, succeeded);
	},
);

testImmutable('unmount of one pod releases the directory of another whose mount has gone without a call', async t => {
	const node = createStandInHarness(t);
	const [gone, last] = [node.podDirectory('uid-1'), node.podDirectory('uid-2')];
	t.is((await node.mount(gone, {name: 'bucket-1'})).output, succeeded);
	t.is((await node.mount(last, {name: 'bucket-1'})).output, succeeded);
	await detachMounts(gone, createDeadline(300_000));
	t.throws(() => rmdirSync(gone), {code: 'EPERM'});
	t.is((await node.unmount(last)).output, succeeded);
	t.notThrows(() => rmdirSync(gone));
});

testImmutable(
	'protectDirectory() leaves directories with files alone, and neither it nor releaseDirectory() touches what is mounted',
	async t => {
		const directory = mkdtempSync(join(tmpdir(), 'pnx-immutable-'));
		const [full, mounted, missing] = [join(directory, 'full'), join(directory, 'mounted'), join(directory, 'missing')];
		t.teardown(() => {
			spawnSync('umount', [mounted]);
			spawnSync('chattr', ['-R', '-f', '-i', directory]);
			rmSync(directory, {recursive: true, force: true});
		});
		mkdirSync(full);
		writeFileSync(join(full, 'file'), '');
		await protectDirectory(full, createDeadline(300_000));
		t.notThrows(() => writeFileSync(join(full, 'other'), ''));

		mkdirSync(mounted);
		t.is(spawnSync('mount', ['--bind', full, mounted]).status, 0);
		spawnSync('chattr', ['+i', full]);
		releaseDirectory(mounted);
		t.throws(() => writeFileSync(join(full, 'third'), ''), {code: 'EPERM'});
		await protectDirectory(missing, createDeadline(300_000));
		t.notThrows(() => releaseDirectory(missing));
	},
);
