/** The cases through everything: kernel, daemon, S3 server. */
import {mkdir, rm} from 'node:fs/promises';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {createVolumeDirectory, startTestDaemon, type TestDaemon} from '../support/daemon.ts';
import {spawnTestDevServer} from '../support/dev-server.ts';
import {hostFsUnderTest} from '../support/host-fs-under-test.ts';
import {hasFuse} from '../support/mount.ts';
import {hasPython} from '../support/posix-agent.ts';
import {runPosixCases} from '../support/posix-cases.ts';

if (hasFuse()) {
	let daemon: TestDaemon;
	// Ended in this order after the last test.
	const ends: Array<() => unknown> = [];
	const context: Pick<ExecutionContext, 'teardown'> = {teardown: end => void ends.unshift(end)};
	test.before(async t => {
		const server = await spawnTestDevServer(context);
		const options = {name: server.bucket, endpoint: server.endpoint, 'path-style': 'true'};
		daemon = await startTestDaemon(context, {options, credentials: server.credentials, volumeDirectory: await createVolumeDirectory(context)});
		t.is(daemon.ready.status, 'ready', daemon.log());
	});

	test.after.always('the daemon ends without complaint', async t => {
		try {
			t.is(await daemon.stop(), 0, daemon.log());
			t.notRegex(daemon.log(), /met a bug|operation failed|takes too long/);
		} finally {
			for (const end of ends) {
				await end();
			}
		}
	});

	runPosixCases(test.serial, {
		hasHost: true,
		hasExtended: hasPython(),
		async prepare(t, directoryName) {
			const directory = join(daemon.mountPoint, directoryName);
			await mkdir(directory);
			t.teardown(async () => rm(directory, {recursive: true, force: true}));
			return hostFsUnderTest(directory, end => t.teardown(end));
		},
	});
} else {
	test.skip('POSIX cases on a mount need /dev/fuse', t => t.pass());
}
