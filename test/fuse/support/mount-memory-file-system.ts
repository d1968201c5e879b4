/**
Mounts a file system in memory on the directory given as the first argument, in a process of its own: a test must never
hold the mount that it touches. Writes `ready` when it is mounted and unmounts when its standard input ends, so
that nothing stays behind when the test dies. With the flag `mute` it never answers what attributes something has, and
writes `asked`; with `stuck` it never answers a read, and with `filled` it has 50 files that the kernel does not know.
*/
import {mountFuse} from '../../../src/fuse/fuse-mount.ts';
import {mountKernel} from '../../../src/fuse/kernel/kernel-mount.ts';
import {MemoryFileSystem} from '../../filesystem/doubles/memory-file-system.ts';
import {testTransport} from '../../support/test-transport.ts';

const [mountPoint = '', flags = ''] = process.argv.slice(2);
const log = (level: string) => (fields: Record<string, unknown>, message: string) => {
	if (level !== 'trace') {
		process.stderr.write(
			`${level} ${message} ${JSON.stringify({...fields, err: fields['err'] instanceof Error ? fields['err'].stack : undefined})}\n`,
		);
	}
};

class MuteFileSystem extends MemoryFileSystem {
	override async getattr(): Promise<never> {
		process.stdout.write('asked\n');
		return new Promise(() => undefined);
	}
}

class StuckFileSystem extends MemoryFileSystem {
	override async read(): Promise<never> {
		return new Promise(() => undefined);
	}
}

const toFileSystem = async (): Promise<MemoryFileSystem> => {
	if (flags.includes('mute')) {
		return new MuteFileSystem();
	}

	const fileSystem = flags.includes('stuck') ? new StuckFileSystem() : new MemoryFileSystem();
	for (let index = 0; flags.includes('filled') && index < 50; index++) {
		await fileSystem.mknod(`file-${index}`, {kind: 'file', permissions: 0o644, rdev: 0}, {uid: 0, gid: 0});
	}

	return fileSystem;
};

const mount = await (testTransport() === 'kernel' ? mountKernel : mountFuse)({
	fileSystem: await toFileSystem(),
	mountPoint,
	source: 'pnx-volume:memory',
	readOnly: flags.includes('read-only'),
	attributeCacheMs: flags.includes('filled') ? 600_000 : 500,
	operationMsMax: 10_000,
	log: {
		trace: log('trace'),
		debug: log('debug'),
		info: log('info'),
		warn: log('warn'),
		error: log('error'),
		fatal: log('fatal'),
	},
	isEachLogged: flags.includes('debug'),
});
process.stdout.write('ready\n');
process.stdin.resume();
process.stdin.once('end', () => void mount.unmount({graceMs: 200}));
process.once('SIGTERM', () => void mount.unmount({graceMs: 200}));
process.on('SIGUSR2', () => process.stderr.write(`${JSON.stringify(process.memoryUsage())}\n`));
await mount.ended;
process.stdin.destroy();
