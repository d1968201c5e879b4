/** The cases on a local directory: they must be right about POSIX before they can be right about us. */
import {chmod, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {hostFsUnderTest} from './support/host-fs-under-test.ts';
import {runPosixCases} from './support/posix-cases.ts';

runPosixCases('test', {
	hasHost: true,
	async prepare(t) {
		const directory = await mkdtemp(join(tmpdir(), 'pnx-reference-'));
		await chmod(directory, 0o755); // Other users have to get in, as on a mount.
		t.teardown(async () => rm(directory, {recursive: true, force: true}));
		return hostFsUnderTest(directory, end => t.teardown(end));
	},
});
