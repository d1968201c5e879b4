import {mkdir, rm} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import {hostFsUnderTest} from './host-fs-under-test.ts';
import {mountInChild, type ChildMount} from '../../../fuse/support/mount.ts';
import {fuse, isMet} from '../../../support/needs.ts';
import {runPosixCases} from './posix-cases.ts';

/** The cases through the kernel, on a mount held by a child process, over the transport of `test-transport.ts`. */
export const runMountedCases = (): void => {
	let mount: ChildMount;
	if (isMet(fuse)) {
		test.before(async () => {
			mount = await mountInChild();
		});

		test.after.always('the mount ends without complaint', async t => {
			const log = mount.log();
			t.is(await mount.close(), 0, log);
			t.notRegex(log, /met a bug|failed/);
		});
	}

	runPosixCases('serial', {
		hasHost: true,
		needs: [fuse],
		async prepare(t, directoryName) {
			const directory = join(mount.mountPoint, directoryName);
			await mkdir(directory);
			t.teardown(async () => rm(directory, {recursive: true, force: true}));
			return hostFsUnderTest(directory, end => t.teardown(end));
		},
	});
};
