import {stat} from 'node:fs';
import {join} from 'node:path';
import type {Target} from '../../src/filesystem/filesystem.ts';
import {mountFuse} from '../../src/fuse/fuse-mount.ts';
import {MemoryFileSystem} from '../filesystem/doubles/memory-file-system.ts';

const deadly = 'deadly';

class DeadlyFileSystem extends MemoryFileSystem {
	override async getattr(target: Target): ReturnType<MemoryFileSystem['getattr']> {
		if ('path' in target && target.path === deadly) {
			process.kill(process.pid, 'SIGKILL');
		}

		return super.getattr(target);
	}
}

/**
Mounts a file system in memory. With `die`, this process is killed while one of its threads waits for the mount: such a
process does not end before somebody aborts the connection.
*/
export const mountDeadly = async (mountPoint: string, source: string): Promise<{die: () => void}> => {
	const log = (): void => undefined;
	await mountFuse({
		fileSystem: new DeadlyFileSystem(),
		mountPoint,
		source,
		readOnly: false,
		attributeCacheMs: 0,
		operationMsMax: 600_000,
		log: {trace: log, debug: log, info: log, warn: log, error: log, fatal: log},
		isEachLogged: false,
	});
	return {die: () => stat(join(mountPoint, deadly), () => undefined)};
};
