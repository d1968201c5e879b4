import {setTimeout as delay} from 'node:timers/promises';
import {toReason} from '../model/error-text.ts';
import {touchLauncher} from '../install/install-launcher.ts';
import {installOnNode, type InstallOutcome} from '../install/install-on-node.ts';
import type {NodeRoot} from '../install/node-root.ts';
import {readRuntimeSource, type RuntimeSource} from '../install/runtime-source.ts';
import type {Logger} from '../observability/logger.ts';
import type {AgentInstallation} from './agent-snapshot.ts';
import type {PluginDirectory} from './plugin-directory.ts';

export type InstallationKeeperOptions = {
	readonly root: NodeRoot;
	readonly sourceDirectory: string;
	readonly runtimeDirectory: string;
	readonly stateDirectory: string;
	readonly variables: Readonly<Record<string, string>>;
	readonly findPluginDirectory: (signal: AbortSignal) => Promise<PluginDirectory>;
	readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
	readonly signal: AbortSignal;
	/** How long after a fresh installation the driver is touched once more. */
	readonly touchMs?: number;
};

/** Every so many checks each byte of the runtime is read, not only names, sizes and modes. */
const thoroughEvery = 60;

/** Keeps the installation as it should be: each check puts back what is missing, damaged or old. */
export class InstallationKeeper {
	readonly #options: InstallationKeeperOptions;
	readonly #touches = new Set<Promise<void>>();
	#source: RuntimeSource | undefined;
	#installation: AgentInstallation | undefined;
	#problem: string | undefined;
	#checkCount = 0;

	constructor(options: InstallationKeeperOptions) {
		this.#options = options;
	}

	/** Absent until an installation has succeeded. */
	get installation(): AgentInstallation | undefined {
		return this.#installation;
	}

	/** What the newest check could not put right. */
	get problem(): string | undefined {
		return this.#problem;
	}

	async check(): Promise<void> {
		const {log, signal} = this.#options;
		try {
			await this.#install();
			this.#problem = undefined;
		} catch (error) {
			if (signal.aborted) {
				return;
			}

			const reason = toReason(error);
			if (reason !== this.#problem) {
				log.error({err: error}, 'installation failed; it is tried again');
			}

			this.#problem = reason;
		} finally {
			this.#checkCount++;
		}
	}

	/** Waits for what was begun. */
	async close(): Promise<void> {
		await Promise.all(this.#touches);
	}

	async #install(): Promise<void> {
		const {sourceDirectory, findPluginDirectory, log, signal} = this.#options;
		this.#source ??= await readRuntimeSource(sourceDirectory);
		const {path: pluginDirectory, source: pluginDirectorySource} = await findPluginDirectory(signal);
		const isThorough = this.#checkCount % thoroughEvery === 0;
		const outcome = await installOnNode({...this.#options, source: this.#source, pluginDirectory, isThorough});
		const {runtimeDirectory, versions} = outcome;
		this.#installation = {pluginDirectory, pluginDirectorySource, runtimeDirectory, versions};
		report(outcome, this.#installation, log);
		if (outcome.isDriverChanged) {
			this.#touchLater(outcome.driverPath);
		}
	}

	/** The kubelet may have missed the first event of a directory that is new. */
	#touchLater(path: string): void {
		const {root, log, signal, touchMs = 5000} = this.#options;
		const touch = (async () => {
			try {
				await delay(touchMs, undefined, {signal});
				touchLauncher(root, path);
			} catch (error) {
				if (!signal.aborted) {
					log.warn({err: error}, 'driver not touched');
				}
			}
		})();
		this.#touches.add(touch);
		void touch.then(() => this.#touches.delete(touch));
	}
}

/** A check that found everything in its place says nothing. */
const report = (outcome: InstallOutcome, installation: AgentInstallation, log: Pick<Logger, 'info' | 'warn'>): void => {
	const {isRuntimeChanged, isDriverChanged, removedVersions, pruneDoubt} = outcome;
	if (isRuntimeChanged || isDriverChanged || removedVersions.length > 0) {
		log.info(
			{...installation, driver: outcome.driverPath, isRuntimeChanged, isDriverChanged, removedVersions},
			'installed',
		);
	}

	if (pruneDoubt !== undefined) {
		log.warn({doubt: pruneDoubt}, 'old versions kept, as somebody may use them');
	}
};
