import {mkdir, rm} from 'node:fs/promises';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import type {Credentials} from '../../../../src/node/launch/daemon-protocol.ts';
import {createVolumeDirectory, startTestDaemon, type TestDaemon} from '../../support/daemon.ts';
import {hostFsUnderTest} from './host-fs-under-test.ts';
import {fuse, isMet, type Need} from '../../../support/needs.ts';
import {runPosixCases} from './posix-cases.ts';

type Ends = Pick<ExecutionContext, 'teardown'>;
type Bucket = {readonly bucket: string; readonly endpoint: string; readonly credentials: Credentials};

/** The cases through everything: kernel, daemon, S3 server. */
export const runMountedS3Cases = (
	startServer: (context: Ends) => Promise<Bucket>,
	needs: readonly Need[] = [],
): void => {
	let daemon: TestDaemon;
	if (isMet(fuse, ...needs)) {
		// Ended in this order after the last test.
		const ends: Array<() => unknown> = [];
		const context: Ends = {teardown: end => void ends.unshift(end)};
		test.before(async t => {
			const server = await startServer(context);
			const options = {name: server.bucket, endpoint: server.endpoint, 'path-style': 'true'};
			daemon = await startTestDaemon(context, {
				options,
				credentials: server.credentials,
				volumeDirectory: await createVolumeDirectory(context),
			});
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
	}

	runPosixCases('serial', {
		hasHost: true,
		needs: [...needs, fuse],
		async prepare(t, directoryName) {
			const directory = join(daemon.mountPoint, directoryName);
			await mkdir(directory);
			t.teardown(async () => rm(directory, {recursive: true, force: true}));
			return hostFsUnderTest(directory, end => t.teardown(end));
		},
	});
};
