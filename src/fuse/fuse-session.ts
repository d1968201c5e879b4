import type Fuse from 'fuse-native';
import type {Caller, FileSystem, Handle, Target} from '../filesystem/filesystem.ts';
import {callingSyscall} from './calling-syscall.ts';
import type {FuseLog} from './fuse-log.ts';
import {toPath} from './fuse-path.ts';
import {HiddenFiles} from './hidden-files.ts';
import type {OperationMetrics} from './operation-metrics.ts';
import type {OperationRunner} from './operation-runner.ts';
import type {Device} from './other-descriptors.ts';
import {ReadBuffers} from './read-buffers.ts';
import {ShownSizes} from './shown-sizes.ts';

export type FuseSessionOptions = {
	readonly fileSystem: FileSystem;
	readonly runner: OperationRunner;
	readonly log: FuseLog;
	readonly metrics: OperationMetrics;
	readonly operationCountMax: number;
	readonly requestBytesMax: number;
	/** Who asks; only for the operation that runs now, so before the first `await`. */
	readonly requestContext: () => Readonly<Fuse.RequestContext> | null;
	/** What the kernel calls this file system; known soon after the first operation. */
	readonly device: () => Promise<Device>;
};

/** One call of libfuse. */
export type FuseCall = {
	/** For log and metrics. */
	readonly name: string;
	/** What it is about: a path, or else a descriptor. */
	readonly path?: Fuse.HandlePath;
	readonly fd?: Fuse.FileHandle;
	/** Gets the negative errno of a failure, or 0. */
	readonly callback: (result: number) => void;
};

/** How a call is answered that has more to tell than 0. */
export type FuseAnswer<T> = {
	readonly succeed?: (value: T) => void;
	/** See `Operation.abandon`: present on calls that change nothing. */
	readonly abandon?: (value: T) => void;
};

/** What the operations of one mount share: what they call, and what they remember of earlier calls. */
export class FuseSession {
	readonly fileSystem: FileSystem;
	readonly metrics: OperationMetrics;
	readonly device: FuseSessionOptions['device'];
	readonly hidden: HiddenFiles;
	readonly shown = new ShownSizes({countMax: 100_000});
	readonly readBuffers: ReadBuffers;
	readonly #runner: OperationRunner;
	readonly #requestContext: FuseSessionOptions['requestContext'];

	constructor(options: FuseSessionOptions) {
		this.fileSystem = options.fileSystem;
		this.metrics = options.metrics;
		this.device = options.device;
		this.hidden = new HiddenFiles({fileSystem: options.fileSystem, callingSyscall, log: options.log});
		this.readBuffers = new ReadBuffers({bytesMax: options.requestBytesMax, countMax: options.operationCountMax / 2});
		this.#runner = options.runner;
		this.#requestContext = options.requestContext;
	}

	/** Runs an operation; one on a path after what is still being removed there. */
	run<T>({name, path, fd, callback}: FuseCall, act: () => Promise<T>, answer: FuseAnswer<T> = {}): void {
		const {hidden} = this;
		this.#runner.run({
			name,
			subject: path ?? `#${String(fd)}`,
			act: hidden.isSettled || typeof path !== 'string' ? act : async () => hidden.settle(path.slice(1)).then(act),
			succeed: answer.succeed ?? (() => callback(0)),
			fail: callback,
			abandon: answer.abandon,
		});
	}

	/** Runs an operation that changes nothing, and whose result is of no use when it comes too late. */
	ask<T>(call: FuseCall, act: () => Promise<T>, succeed: (value: T) => void): void {
		this.run(call, act, {succeed, abandon: () => undefined});
	}

	/** Who asks. Before the first `await` of an operation, like the next two. */
	caller(): Caller {
		const context = this.#requestContext();
		return {uid: context?.uid ?? 0, gid: context?.gid ?? 0};
	}

	callingThreadId(): number {
		return this.#requestContext()?.pid ?? 0;
	}

	/** Whether the kernel writes pages back, and not a program its bytes. */
	isWritepage(): boolean {
		return this.#requestContext()?.fileInfo?.writepage === true;
	}

	/**
	Whether the kernel reads into its pages (read-ahead, mmap, splice), and not into the memory of a program: only then it
	names no owner (FUSE_READ_LOCKOWNER in fuse_send_read of fs/fuse/file.c).
	*/
	isPageRead(): boolean {
		return this.#requestContext()?.fileInfo?.lockOwner === 0;
	}

	/** What a call is about: an open file, also one whose name was removed, or a path. */
	targetOf(path: Fuse.HandlePath, fd: Fuse.FileHandle = 0): Target {
		const handle = fd === 0 ? this.hidden.handleOf(path ?? '') : toHandle(fd);
		return handle === undefined ? {path: toPath(path ?? '')} : {handle};
	}
}

/** A handle is handed to libfuse plus one: there, 0 means that there is none. */
export const toFd = (handle: Handle): number => handle + 1;

export const toHandle = (fd: Fuse.FileHandle): Handle => Number(fd) - 1;
