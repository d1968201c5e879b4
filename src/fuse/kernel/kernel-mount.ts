import {spawn, type StdioOptions} from 'node:child_process';
import {setTimeout as delay} from 'node:timers/promises';
import {messageOf} from '../../model/error-text.ts';
import type {FuseMount, FuseMountOptions} from '../fuse-mount.ts';
import {tuneKernel} from '../kernel-tuning.ts';
import {findMount} from '../mount-info.ts';
import {toSource} from '../mount-source-text.ts';
import {OperationMetrics} from '../operation-metrics.ts';
import {OperationRunner} from '../operation-runner.ts';
import type {Device} from '../other-descriptors.ts';
import {createDispatcher, type Dispatcher} from './dispatcher.ts';
import {KernelDevice, requestBytesMax} from './kernel-device.ts';
import {KernelSession} from './kernel-session.ts';

/** A command that touches the mount table. It waits for nobody but the kernel, which may have to ask us. */
const commandMsMax = 30_000;

/** Descriptor 3 of mount(8) is the device. */
const deviceDescriptor = 3;

/**
Mounts a file system over the kernel's own protocol, and resolves when the kernel has it in its table and asked for it.
Only root may: mount(2) is not for others, and fusermount3 does not hand over what this needs.
*/
export const mountKernel = async (options: FuseMountOptions): Promise<FuseMount> => {
	if (process.geteuid?.() !== 0) {
		throw new Error(
			`Cannot mount on ${options.mountPoint} with transport=kernel: only root may; use transport=native, or run as root`,
		);
	}

	const mount = new KernelMount(options, KernelDevice.open());
	await mount.begin();
	return mount;
};

/** A mount from its beginning to its end. */
class KernelMount implements FuseMount {
	readonly #options: FuseMountOptions;
	readonly #device: KernelDevice;
	readonly #runner: OperationRunner;
	readonly #session: KernelSession;
	readonly #dispatcher: Dispatcher;
	readonly #mountedDevice = Promise.withResolvers<Device>();
	readonly #end = Promise.withResolvers<void>();
	#hasEnded = false;

	constructor(options: FuseMountOptions, device: KernelDevice) {
		const metrics = new OperationMetrics(options.metrics);
		this.#options = options;
		this.#device = device;
		this.#runner = new OperationRunner({
			log: options.log,
			metrics,
			isEachLogged: options.isEachLogged,
			durationMsMax: options.operationMsMax,
		});
		this.#session = new KernelSession({
			fileSystem: options.fileSystem,
			runner: this.#runner,
			metrics,
			device,
			mountedDevice: async () => this.#mountedDevice.promise,
			attributeCacheMs: options.attributeCacheMs,
			hasExtendedAttributes: options.hasExtendedAttributes ?? true,
		});
		this.#dispatcher = createDispatcher(this.#session, options.log);
		this.#dispatcher.agreed.catch(() => undefined); // `begin` tells of it.
	}

	get ended(): Promise<void> {
		return this.#end.promise;
	}

	status(): ReturnType<FuseMount['status']> {
		return this.#runner.status();
	}

	async begin(): Promise<void> {
		const {mountPoint, readOnly, source, log} = this.#options;
		let hasMounted = false;
		try {
			const mountOptions = [
				`fd=${deviceDescriptor}`,
				'rootmode=40000',
				'user_id=0',
				'group_id=0',
				'allow_other',
				'default_permissions',
				`max_read=${requestBytesMax}`,
				'nodev',
				'nosuid',
				readOnly ? 'ro' : 'rw',
			].join(',');
			const args = ['-t', 'fuse.pnx', '-o', mountOptions, toSource(source), mountPoint];
			await runMountCommand('mount', args, this.#device.descriptor);
			hasMounted = true;
			this.#device.start({
				onRequest: (bytes, keep) => this.#dispatcher.dispatch(bytes, keep),
				onEnd: () => this.#onEnd(),
			});
			const agreement = await Promise.race([
				this.#dispatcher.agreed,
				delay(commandMsMax, undefined, {ref: false}).then(() => {
					throw new Error(`the kernel asked for nothing in ${commandMsMax / 1000} s`);
				}),
			]);
			log.debug({transport: 'kernel', ...agreement}, 'agreed with the kernel');
			const mount = await findMount(mountPoint);
			if (mount === undefined) {
				throw new Error('it is not in the table of mounts');
			}

			this.#mountedDevice.resolve(mount);
			await tuneKernel(mount, log);
		} catch (error) {
			await (hasMounted ? this.#close() : this.#abandon());
			throw new Error(`Cannot mount FUSE on ${mountPoint}: ${messageOf(error)}`, {cause: error});
		}
	}

	async unmount({graceMs}: {graceMs: number}): Promise<void> {
		const {mountPoint, log} = this.#options;
		if (!this.#hasEnded) {
			// An ordinary umount first: the kernel writes back what programs have changed through mmap.
			await runMountCommand('umount', [mountPoint]).catch((error: unknown) => {
				log.warn({mountPoint, err: error}, 'cannot unmount: still in use?');
			});
			await Promise.race([this.ended, delay(graceMs, undefined, {ref: false})]);
		}

		await this.#close();
	}

	/** Takes the mount away whoever uses it, who gets ENOTCONN from then on. */
	async #close(): Promise<void> {
		const {mountPoint, log} = this.#options;
		if (!this.#hasEnded) {
			// From the table first: while the device is open, the command cannot wait for a dead mount.
			await runMountCommand('umount', ['-l', mountPoint]).catch((error: unknown) => {
				log.warn({mountPoint, err: error}, 'cannot take the mount away');
			});
		}

		await this.#device.close();
		this.#noteEnd();
	}

	async #abandon(): Promise<void> {
		await this.#device.close();
		this.#noteEnd();
	}

	#onEnd(): void {
		if (!this.#hasEnded) {
			this.#options.log.info({mountPoint: this.#options.mountPoint}, 'file system was unmounted');
			void this.#device.close();
			this.#noteEnd();
		}
	}

	#noteEnd(): void {
		this.#hasEnded = true;
		this.#session.close();
		this.#runner.close();
		this.#end.resolve();
	}
}

/** Runs mount(8) or umount(8); descriptor 3 of it is the device, if one is given. */
const runMountCommand = async (command: string, args: readonly string[], descriptor?: number): Promise<void> => {
	const stdio: StdioOptions = ['ignore', 'ignore', 'pipe', ...(descriptor === undefined ? [] : [descriptor])];
	try {
		// `-i`: no helper of the host, such as mount.fuse, takes over.
		await runChild(command, ['-i', ...args], stdio);
	} catch (error) {
		// That of busybox does not know it, and has no helpers.
		if (!/invalid option|unrecognized option/.test(messageOf(error))) {
			throw error;
		}

		await runChild(command, args, stdio);
	}
};

/** Runs a command in a process of its own, so that this one can answer the kernel meanwhile. Rejects when it fails. */
const runChild = async (command: string, args: readonly string[], stdio: StdioOptions): Promise<void> => {
	const child = spawn(command, args, {stdio, timeout: commandMsMax, killSignal: 'SIGKILL'});
	let message = '';
	child.stderr?.setEncoding('utf8').on('data', (text: string) => {
		message += text;
	});
	const exit = Promise.withResolvers<number | null>();
	child.once('error', exit.reject).once('close', exit.resolve);
	const code = await exit.promise;
	if (code !== 0) {
		throw new Error(message.trim() === '' ? `${command} ended with status ${code ?? 'unknown'}` : message.trim());
	}
};
