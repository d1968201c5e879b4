import {execFile} from 'node:child_process';
import {readFile} from 'node:fs/promises';
import {setTimeout as delay} from 'node:timers/promises';
import {promisify} from 'node:util';
import Fuse from 'fuse-native';
import type {FileSystem} from '../filesystem/filesystem.ts';
import {hasErrorCode, messageOf} from '../model/error-text.ts';
import type {MetricSink} from '../model/metric-sink.ts';
import type {FuseLog} from './fuse-log.ts';
import {createFuseOperations} from './fuse-operations.ts';
import {tuneKernel} from './kernel-tuning.ts';
import {findMount} from './mount-info.ts';
import {toSource} from './mount-source-text.ts';
import {OperationMetrics} from './operation-metrics.ts';
import {OperationRunner} from './operation-runner.ts';
import type {Device} from './other-descriptors.ts';

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

/**
One native thread each, blocked while its operation runs: this many operations at the same time. The most that the
binding takes, so that calls that wait for S3 leave room for those that do not.
*/
const operationCountMax = 64;

const requestBytesMax = 2 ** 20;

/**
fuse_common.h: requests come through a pipe instead of into a buffer. Ours are copied to JavaScript anyway, so that
is one copy more.
*/
const spliceReadCapability = 1 << 9;

const run = promisify(execFile);

/** Mounts a file system and resolves when the kernel has it in its table and it answers. */
export const mountFuse = async (options: FuseMountOptions): Promise<FuseMount> => {
	const mount = new KernelMount(options);
	await mount.begin();
	return mount;
};

/** A mount from its beginning to its end. */
class KernelMount implements FuseMount {
	readonly #options: FuseMountOptions;
	readonly #runner: OperationRunner;
	readonly #fuse: Fuse;
	readonly #device = Promise.withResolvers<Device>();
	readonly #end = Promise.withResolvers<void>();
	#hasEnded = false;

	constructor(options: FuseMountOptions) {
		const metrics = new OperationMetrics(options.metrics);
		this.#options = options;
		this.#runner = new OperationRunner({
			log: options.log,
			metrics,
			isEachLogged: options.isEachLogged,
			durationMsMax: options.operationMsMax,
		});
		const operations = createFuseOperations({
			fileSystem: options.fileSystem,
			runner: this.#runner,
			log: options.log,
			metrics,
			operationCountMax,
			requestBytesMax,
			requestContext: () => this.#fuse.context(),
			device: async () => this.#device.promise,
			hasExtendedAttributes: options.hasExtendedAttributes ?? true,
		});
		this.#fuse = new Fuse(
			options.mountPoint,
			{
				...operations,
				initWithConfig: (connection, callback) => callback(0, {want: connection.want & ~spliceReadCapability}),
			},
			{...toFuseOptions(options), onError: (error, operation) => this.#onError(error, operation)},
		);
		leaveMountAlone(this.#fuse);
	}

	get ended(): Promise<void> {
		return this.#end.promise;
	}

	status(): ReturnType<FuseMount['status']> {
		return this.#runner.status();
	}

	async begin(): Promise<void> {
		const {mountPoint, readOnly, log} = this.#options;
		addMountOptions(this.#fuse, [...(await accessOptions(log)), 'nodev', 'nosuid', ...(readOnly ? ['ro'] : [])]);
		try {
			await promisify(this.#fuse.mount.bind(this.#fuse))();
			const mount = await findMount(mountPoint);
			if (mount === undefined) {
				throw new Error(`Cannot find ${mountPoint} in the table of mounts although it was mounted`);
			}

			this.#device.resolve(mount);
			await tuneKernel(mount, log);
		} catch (error) {
			await this.#close();
			throw new Error(`Cannot mount FUSE on ${mountPoint}: ${messageOf(error)}`, {cause: error});
		}
	}

	async unmount({graceMs}: {graceMs: number}): Promise<void> {
		const {mountPoint, log} = this.#options;
		if (!this.#hasEnded) {
			// An ordinary umount first: the kernel writes back what programs have changed through mmap.
			await run('fusermount3', ['-u', '--', mountPoint]).catch((error: unknown) => {
				log.warn({mountPoint, err: error}, 'cannot unmount: still in use?');
			});
			await Promise.race([this.ended, delay(graceMs, undefined, {ref: false})]);
		}

		await this.#close();
	}

	async #close(): Promise<void> {
		await promisify(this.#fuse.unmount.bind(this.#fuse))();
		this.#noteEnd();
	}

	#noteEnd(): void {
		this.#hasEnded = true;
		this.#runner.close();
		this.#end.resolve();
	}

	#onError(error: unknown, operation: string): void {
		const {mountPoint, log} = this.#options;
		if (isLoopExit(error)) {
			log.info({mountPoint}, 'file system was unmounted');
			this.#noteEnd();
		} else {
			log.error({op: operation, err: error}, 'operation met a bug');
		}
	}
}

const toFuseOptions = ({attributeCacheMs, source}: FuseMountOptions): Fuse.OPTIONS => ({
	timeout: false, // Ours are in the file system and in the runner.
	defaultPermissions: true,
	nullPathOk: true,
	maxConcurrency: operationCountMax,
	maxRead: requestBytesMax,
	entryTimeout: attributeCacheMs / 1000,
	attrTimeout: attributeCacheMs / 1000,
	fsname: toSource(source),
	subtype: 'pnx',
	// Not `remember`, which keeps inode numbers when the kernel forgets a file: libfuse ends the process (an assertion in
	// fuse.c, unlink_node) at a rename to a name that it remembers and that another node has deleted.
});

/**
Options that the kernel and libfuse take, but the wrapper does not know: it composes the option string in this
method and has no other door. Its version is pinned, and `test/fuse/fuse-mount.ts` looks at the mounted result.
*/
const addMountOptions = (fuse: Fuse, added: readonly string[]): void => {
	const composer = fuse as unknown as {_fuseOptions: () => string};
	const compose = composer._fuseOptions.bind(fuse);
	composer._fuseOptions = () => [compose(), ...added].join(',');
};

/**
The wrapper asks the mount for its attributes to see that it is there, from a thread of this process. A SIGKILL at that
moment leaves a process that waits for itself, and a mount that hangs until somebody aborts its connection. The kernel
begins to ask us only when it has the mount in its table, so there is nothing to see.
*/
const leaveMountAlone = (fuse: Fuse): void => {
	const opening = fuse as unknown as {
		_waitForMount: () => void;
		_completeOpen: (error: null) => void;
		/** Whether the thread that serves the kernel has told that it runs. */
		readonly _nativeMounted: boolean;
		/** Gone when the wrapper has given up. */
		readonly _openCallback: unknown;
	};
	const check = (): void => {
		if (opening._nativeMounted) {
			opening._completeOpen(null);
		} else if (opening._openCallback !== null) {
			setTimeout(check, 1);
		}
	};

	opening._waitForMount = check;
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

const isLoopExit = (error: unknown): boolean => hasErrorCode(error, 'EFUSELOOPEXIT');
