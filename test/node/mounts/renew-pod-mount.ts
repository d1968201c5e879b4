import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {detachMounts} from '../../../src/node/mounts/bind-mount.ts';
import {createDeadline} from '../../../src/node/deadline.ts';
import {renewPodMount} from '../../../src/node/mounts/renew-pod-mount.ts';
import {mountsAt, readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {readNodeEnvironment} from '../../../src/node/node-environment.ts';
import {runCommand} from '../../../src/node/host/run-command.ts';
import {createTestDirectory} from '../../support/dev-server.ts';

test("a pod's mount that is renewed again and again shows the newest file system, never the directory below, and does not pile up without end", async t => {
	const directory = await createTestDirectory(t);
	const deadline = createDeadline(300_000);
	const [source, target] = ['source', 'target'].map(name => join(directory, name));
	mkdirSync(source!);
	mkdirSync(target!);
	t.teardown(async () =>
		Promise.all([detachMounts(source!, createDeadline(300_000)), detachMounts(target!, createDeadline(300_000))]),
	);
	const environment = readNodeEnvironment(
		{PNX_VOLUME_STATE_DIR: directory, PNX_VOLUME_RUN_DIR: join(directory, 'run')},
		'',
	);
	const heights: number[] = [];
	for (let round = 0; round < 20; round++) {
		await detachMounts(source!, deadline);
		t.is((await runCommand('mount', ['-n', '-t', 'tmpfs', 'test', source!], deadline)).exitCode, 0);
		t.is((await runCommand('mount', ['--make-private', source!], deadline)).exitCode, 0);
		writeFileSync(join(source!, 'file'), String(round));
		await renewPodMount({source: source!, target: target!, volumeId: '0123456789abcdef', environment, deadline});
		t.is(readFileSync(join(target!, 'file'), 'utf8'), String(round));
		heights.push(mountsAt(readMountTable(), target!).length);
	}

	t.deepEqual(heights, [...Array.from({length: 16}, (_, index) => index + 1), 1, 2, 3, 4]);
});
