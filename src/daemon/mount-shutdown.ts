import type {FileSystem} from '../filesystem/filesystem.ts';
import type {FuseMount} from '../fuse/fuse-mount.ts';
import type {Logger} from '../observability/logger.ts';
import type {Progress} from './control-server.ts';

export type StopOptions = {timeoutMs: number; onProgress?: ((progress: Progress) => void) | undefined};

type MountShutdownParts = {readonly mount: FuseMount; readonly fileSystem: FileSystem; readonly log: Logger};

/** How long programs that still use a mount may go on after it was unmounted. */
const unmountGraceMs = 2000;

/** How long an upload may go on when somebody has unmounted the file system under us. */
const drainAfterUnmountMs = 300_000;

/** Drains and unmounts, once, when it is told to or when somebody else has unmounted. */
export class MountShutdown {
	/** Settles when everything is drained and unmounted. */
	readonly ended: Promise<void>;
	readonly #parts: MountShutdownParts;
	readonly #deadline = new AbortController();
	readonly #listeners = new Set<(progress: Progress) => void>();
	readonly #begin: () => void;

	constructor(parts: MountShutdownParts) {
		this.#parts = parts;
		const {promise: begun, resolve} = Promise.withResolvers<void>();
		this.#begin = resolve;
		this.ended = begun.then(async () => this.#end());
		void parts.mount.ended.then(() => {
			this.#abortAfter(drainAfterUnmountMs);
			this.#begin();
		});
	}

	/** May be called again: the earlier deadline counts. */
	async stop({timeoutMs, onProgress}: StopOptions): Promise<void> {
		if (onProgress !== undefined) {
			this.#listeners.add(onProgress);
		}

		this.#abortAfter(timeoutMs);
		this.#begin();
		await this.ended;
	}

	#abortAfter(timeoutMs: number): void {
		const timer = setTimeout(() => this.#deadline.abort(), timeoutMs);
		// Whoever waits for `ended` gets the failure.
		void this.ended.finally(() => clearTimeout(timer)).catch(() => undefined);
	}

	async #end(): Promise<void> {
		const {mount, fileSystem} = this.#parts;
		await this.#drain();
		await mount.unmount({graceMs: this.#deadline.signal.aborted ? 0 : unmountGraceMs});
		// Uploads what programs wrote between the drain and the unmount, and what the kernel wrote back.
		await this.#drain();
		this.#tell(fileSystem.status());
	}

	async #drain(): Promise<void> {
		const {fileSystem, log} = this.#parts;
		try {
			await fileSystem.drain({signal: this.#deadline.signal, onProgress: status => this.#tell(status)});
		} catch (error) {
			const {dirtyBytes, uploadsPending} = fileSystem.status();
			log.warn({dirtyBytes, uploadsPending, err: error}, 'not everything is in S3: the rest stays in the journal');
		}
	}

	#tell(progress: Progress): void {
		for (const listener of this.#listeners) {
			listener(progress);
		}
	}
}
