import type {Caller, EntryStat, FileSystem, Handle, Target} from '../../filesystem/filesystem.ts';
import {BoundedMap} from '../../model/bounded-map.ts';
import {FsError} from '../../model/fs-error.ts';
import {joinPath} from '../../model/object-key.ts';
import {toFuseResult} from '../errno.ts';
import {toNewPath, toPath} from '../fuse-path.ts';
import type {OperationMetrics} from '../operation-metrics.ts';
import type {AnswerEarly, OperationRunner} from '../operation-runner.ts';
import type {Device} from '../other-descriptors.ts';
import {ReadBuffers} from '../read-buffers.ts';
import {toEntryValues, toValidity, type Validity} from './attribute-parts.ts';
import {isDying} from './dying-thread.ts';
import {answerRoom, type KernelDevice, partOf, requestBytesMax} from './kernel-device.ts';
import {type KernelNode, NodeTable} from './node-table.ts';
import {PathGate} from './path-gate.ts';
import {entryOut} from './protocol.ts';
import type {RequestHeader} from './request.ts';

export type KernelSessionOptions = {
	readonly fileSystem: FileSystem;
	readonly runner: OperationRunner;
	readonly metrics: OperationMetrics;
	readonly device: KernelDevice;
	/** What the kernel calls this file system; known soon after the first operation. */
	readonly mountedDevice: () => Promise<Device>;
	readonly attributeCacheMs: number;
	readonly hasExtendedAttributes: boolean;
};

/** One request, for log and metrics. */
export type Call = {
	readonly name: string;
	/** What it is about: a path or `#handle`. */
	readonly subject: string;
};

/** How a request is answered that has more to tell than 0. */
export type Answer<T> = {
	readonly succeed?: (value: T) => void;
	/** See `Operation.abandon`: present on requests that change nothing. */
	readonly abandon?: (value: T) => void;
	/** See `Operation.discard`: present on requests whose caller may be told EINTR when it is killed. */
	readonly discard?: (value: T) => void;
};

/** How many buffers for answers to reads are kept for later. */
const readBufferCountMax = 16;

/** After a signal that the program handles, the kernel does not tell of a deadly one: so it is looked for. */
const dyingIntervalMs = 500;

const nothing = (): void => undefined;

/** What the operations of one mount share: what they call, the inodes of the kernel, and how they answer. */
export class KernelSession {
	readonly fileSystem: FileSystem;
	readonly metrics: OperationMetrics;
	readonly device: KernelDevice;
	readonly mountedDevice: KernelSessionOptions['mountedDevice'];
	readonly hasExtendedAttributes: boolean;
	readonly table = new NodeTable();
	readonly gate = new PathGate(this.table);
	readonly validity: Validity;
	readonly readBuffers = new ReadBuffers({bytesMax: requestBytesMax + answerRoom, countMax: readBufferCountMax});
	/** The threads whose open was refused last, and of which path: what they open next there is the second try. */
	readonly refusedOpens = new BoundedMap<number, string>({countMax: 10_000});
	readonly #runner: OperationRunner;
	readonly #interruptible = new Map<number, {readonly threadId: number; readonly answerEarly: AnswerEarly}>();

	constructor(options: KernelSessionOptions) {
		this.fileSystem = options.fileSystem;
		this.metrics = options.metrics;
		this.device = options.device;
		this.mountedDevice = options.mountedDevice;
		this.hasExtendedAttributes = options.hasExtendedAttributes;
		this.validity = toValidity(options.attributeCacheMs);
		this.#runner = options.runner;
	}

	/** Runs a request, and answers it with 0 unless `answer` says otherwise. */
	run<T>({unique, threadId}: RequestHeader, call: Call, act: () => Promise<T>, answer: Answer<T> = {}): void {
		const isInterruptible = answer.abandon !== undefined || answer.discard !== undefined;
		const end = (): void => {
			if (isInterruptible) {
				this.#interruptible.delete(unique);
			}
		};
		const answerEarly = this.#runner.run({
			...call,
			act,
			succeed: value => {
				end();
				if (answer.succeed === undefined) {
					this.device.answer(unique, 0);
				} else {
					answer.succeed(value);
				}
			},
			fail: result => {
				end();
				this.device.answer(unique, -result);
			},
			abandon: answer.abandon,
			discard: answer.discard,
		});
		if (isInterruptible) {
			this.#interruptible.set(unique, {threadId, answerEarly});
		}
	}

	/** Runs a request that changes nothing, and whose result is of no use when it comes too late. */
	ask<T>(request: RequestHeader, call: Call, act: () => Promise<T>, succeed: (value: T) => void): void {
		this.run(request, call, act, {succeed, abandon: nothing});
	}

	/**
	The kernel says that a signal is pending for who waits for a request: one that is about to end is let go, with EINTR
	that no program sees. What it waited for runs out.
	*/
	async interrupt(unique: number): Promise<void> {
		for (;;) {
			const waiting = this.#interruptible.get(unique);
			if (waiting === undefined) {
				return; // Answered meanwhile, or soon.
			}

			if (await isDying(waiting.threadId)) {
				waiting.answerEarly(toFuseResult('EINTR'));
				return;
			}

			await new Promise(resolve => {
				setTimeout(resolve, dyingIntervalMs).unref();
			});
		}
	}

	/** The node that a request is about; ESTALE makes the kernel look the name up again. */
	nodeOf(id: number): KernelNode {
		const node = this.table.get(id);
		if (node === undefined) {
			throw new FsError('ESTALE', `The kernel asks for inode ${id}, which this mount does not know`);
		}

		return node;
	}

	/** The path of a node; ESTALE when it has none any more. */
	pathOf(node: KernelNode): string {
		const path = this.table.pathOf(node);
		if (path === undefined) {
			throw new FsError('ESTALE', `Cannot use inode ${node.id}: it was removed or replaced`);
		}

		return path;
	}

	/** The path of a name of a directory. ENOENT when the directory was removed, ENAMETOOLONG. */
	pathIn(directory: KernelNode, name: string): string {
		return toPath(this.#pathIn(directory, name));
	}

	/** The same of a name that is to be made: EILSEQ where it is not UTF-8. */
	newPathIn(directory: KernelNode, name: string): string {
		return toNewPath(this.#pathIn(directory, name));
	}

	#pathIn(directory: KernelNode, name: string): string {
		const path = this.table.pathOf(directory);
		if (path === undefined) {
			throw new FsError('ENOENT', `Cannot use the name ${name} in a directory that was removed`);
		}

		return `/${joinPath(path, name)}`;
	}

	/** For the log, whatever the node is. */
	subjectOf(id: number, name?: string): string {
		const node = this.table.get(id);
		const path = node === undefined ? undefined : this.table.pathOf(node);
		return path === undefined ? `inode ${id}` : `/${name === undefined ? path : joinPath(path, name)}`;
	}

	/** What a request on a node is about: the path that it has, or an open of what has lost its name. */
	targetOf(node: KernelNode): Target {
		const path = this.table.pathOf(node);
		if (path !== undefined) {
			return {path};
		}

		const [handle] = node.handles;
		if (handle === undefined) {
			throw new FsError('ESTALE', `Cannot use inode ${node.id}: it was removed or replaced`);
		}

		return {handle};
	}

	/** Whether all opens of a node have what its path is now. */
	async isCurrent(node: KernelNode, path: string, except?: Handle): Promise<boolean> {
		for (const handle of node.handles) {
			if (handle !== except && !(await this.fileSystem.isCurrent(handle, path))) {
				return false;
			}
		}

		return true;
	}

	/** Answers with what a name is: the node that the kernel knows, or a new one. */
	answerEntry({unique}: RequestHeader, {parent, name}: {parent: KernelNode; name: string}, stat: EntryStat): void {
		const node = this.table.lookedUp(parent, name, stat.kind);
		node.sizeBytes = stat.sizeBytes;
		if (!this.device.answerWith(unique, partOf(entryOut, toEntryValues(node, stat, this.validity)))) {
			this.table.forget(node.id, 1);
		}
	}

	/** Forgets who waits: nobody can be answered any more. */
	close(): void {
		this.#interruptible.clear();
	}
}

export const callerOf = ({uid, gid}: RequestHeader): Caller => ({uid, gid});
