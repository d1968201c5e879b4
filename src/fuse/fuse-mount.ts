import {execFile} from 'node:child_process';
import {readFile} from 'node:fs/promises';
import {setTimeout as delay} from 'node:timers/promises';
import {promisify} from 'node:util';
import Fuse from 'fuse-native';
import type {FileSystem} from '../filesystem/filesystem.ts';
import type {MetricSink} from '../model/metric-sink.ts';
import type {FuseLog} from './fuse-log.ts';
import {createFuseOperations} from './fuse-operations.ts';
import {tuneKernel} from './kernel-tuning.ts';
import {findMount} from './mount-info.ts';
import {OperationMetrics} from './operation-metrics.ts';
import {OperationRunner} from './operation-runner.ts';

export type FuseMountOptions = {
	readonly fileSystem: FileSystem;
	/** An empty directory, absolute. */
	readonly mountPoint: string;
	/** What `mount` shows as the device. */
	readonly source: string;
	readonly readOnly: boolean;
	/** Without them the kernel does not ask for any: `ls -l` asks twice for each file. */
	readonly hasExtendedAttributes?: boolean | undefined;
	/** How old names and attributes in the kernel's cache may get. */
	readonly attributeCacheMs: number;
	/** An operation that takes longer is logged, and given up when it changes nothing. */
	readonly operationMsMax: number;
	readonly log: FuseLog;
	readonly metrics?: MetricSink | undefined;
	/** Logs every operation at level debug. */
	readonly isEachLogged: boolean;
};

export type FuseMount = {
	/** Settles when the kernel has let go of the file system: by `unmount()`, or by somebody else's umount(8). */
	readonly ended: Promise<void>;
	/**
	Unmounts. Who still uses it gets until the end of `graceMs`, then ENOTCONN. Resolves when nothing is mounted by
	us.
	*/
	unmount(options: {graceMs: number}): Promise<void>;
	/** How many operations of the kernel wait for their answer, and for how long the oldest of them. */
	status(): {readonly runningCount: number; readonly oldestRunningMs: number};
};

/** One native thread each, blocked while its operation runs: this many operations at the same time. */
const operationCountMax = 32;

const requestBytesMax = 2 ** 20;

/**
fuse_common.h: requests come through a pipe instead of into a buffer. Ours are copied to JavaScript anyway, so that
is one copy more.
*/
const spliceReadCapability = 1 << 9;

const run = promisify(execFile);

/** Mounts a file system and resolves when the kernel has it in its table and it answers. */
export const mountFuse = async (options: FuseMountOptions): Promise<FuseMount> => {
	const {fileSystem, mountPoint, log} = options;
	const metrics = new OperationMetrics(options.metrics);
	const runner = new OperationRunner({
		log,
		metrics,
		isEachLogged: options.isEachLogged,
		durationMsMax: options.operationMsMax,
	});
	const {promise: ended, resolve} = Promise.withResolvers<void>();
	let hasEnded = false;
	const end = (): void => {
		hasEnded = true;
		runner.close();
		resolve();
	};

	const {listxattr, getxattr, setxattr, removexattr, ...operations} = createFuseOperations({
		fileSystem,
		runner,
		log,
		metrics,
		operationCountMax,
		requestBytesMax,
		requestContext: () => fuse.context(),
	});
	const fuse = new Fuse(
		mountPoint,
		{
			...operations,
			...(options.hasExtendedAttributes === false ? {} : {listxattr, getxattr, setxattr, removexattr}),
			initWithConfig: (connection, callback) => callback(0, {want: connection.want & ~spliceReadCapability}),
		} as Fuse.OPERATIONS,
		{
			timeout: false, // Ours are in the file system and in the runner.
			defaultPermissions: true,
			nullPathOk: true,
			maxConcurrency: operationCountMax,
			maxRead: requestBytesMax,
			entryTimeout: options.attributeCacheMs / 1000,
			attrTimeout: options.attributeCacheMs / 1000,
			fsname: options.source.replaceAll(/[\0,\\\r\n]/g, '_'),
			subtype: 'pnx',
			onError(error, operation) {
				if (isLoopExit(error)) {
					log.info({mountPoint}, 'file system was unmounted');
					end();
				} else {
					log.error({op: operation, err: error}, 'operation met a bug');
				}
			},
		},
	);
	addMountOptions(fuse, [...(await accessOptions(log)), 'nodev', 'nosuid', ...(options.readOnly ? ['ro'] : [])]);

	const close = async (): Promise<void> => {
		await promisify(fuse.unmount.bind(fuse))();
		end();
	};

	try {
		await promisify(fuse.mount.bind(fuse))();
		const mount = await findMount(mountPoint);
		if (mount === undefined) {
			throw new Error(`Cannot find ${mountPoint} in the table of mounts although it was mounted`);
		}

		await tuneKernel(mount, log);
	} catch (error) {
		await close();
		throw new Error(`Cannot mount FUSE on ${mountPoint}: ${messageOf(error)}`, {cause: error});
	}

	return {
		ended,
		status: () => runner.status(),
		async unmount({graceMs}) {
			if (!hasEnded) {
				// An ordinary umount first: the kernel writes back what programs have changed through mmap.
				await run('fusermount3', ['-u', '--', mountPoint]).catch((error: unknown) => {
					log.warn({mountPoint, err: error}, 'cannot unmount: still in use?');
				});
				await Promise.race([ended, delay(graceMs, undefined, {ref: false})]);
			}

			await close();
		},
	};
};

/**
Options that the kernel and libfuse take, but the wrapper does not know: it composes the option string in this
method and has no other door. Its version is pinned, and `test/fuse/mount.ts` looks at the mounted result.
*/
const addMountOptions = (fuse: Fuse, added: readonly string[]): void => {
	const composer = fuse as unknown as {_fuseOptions: () => string};
	const compose = composer._fuseOptions.bind(fuse);
	composer._fuseOptions = () => [compose(), ...added].join(',');
};

/**
Everybody may use the mount; the permissions of its files decide. Root needs nobody's leave for that, so it is not asked
for through the wrapper, which insists on `user_allow_other` in /etc/fuse.conf for root too.
*/
const accessOptions = async (log: FuseLog): Promise<string[]> => {
	if (process.geteuid?.() === 0) {
		return ['allow_other'];
	}

	const config = await readFile('/etc/fuse.conf', 'utf8').catch(() => '');
	if (/^\s*user_allow_other\s*(?:#.*)?$/m.test(config)) {
		return ['allow_other'];
	}

	log.warn({file: '/etc/fuse.conf'}, 'only you can use this mount as user_allow_other is not set');
	return [];
};

const isLoopExit = (error: unknown): boolean =>
	error instanceof Error && 'code' in error && error.code === 'EFUSELOOPEXIT';

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
