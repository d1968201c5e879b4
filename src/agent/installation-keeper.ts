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

/** Keeps the installation as it should be: each check puts back what is missing, damaged or old. */
export type InstallationKeeper = {
	check(): Promise<void>;
	/** Absent until an installation has succeeded. */
	readonly installation: () => AgentInstallation | undefined;
	/** What the newest check could not put right. */
	readonly problem: () => string | undefined;
	/** Waits for what was begun. */
	close(): Promise<void>;
};

/** Every so many checks each byte of the runtime is read, not only names, sizes and modes. */
const thoroughEvery = 60;

export const createInstallationKeeper = (options: InstallationKeeperOptions): InstallationKeeper => {
	const {root, sourceDirectory, findPluginDirectory, log, signal, touchMs = 5000} = options;
	let source: RuntimeSource | undefined;
	let installation: AgentInstallation | undefined;
	let problem: string | undefined;
	let checkCount = 0;
	const touches = new Set<Promise<void>>();

	/** The kubelet may have missed the first event of a directory that is new. */
	const touchLater = (path: string): void => {
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
		touches.add(touch);
		void touch.then(() => touches.delete(touch));
	};

	const install = async (): Promise<void> => {
		source ??= await readRuntimeSource(sourceDirectory);
		const {path: pluginDirectory, source: pluginDirectorySource} = await findPluginDirectory(signal);
		const isThorough = checkCount % thoroughEvery === 0;
		const outcome = await installOnNode({...options, source, pluginDirectory, isThorough});
		installation = {
			pluginDirectory,
			pluginDirectorySource,
			runtimeDirectory: outcome.runtimeDirectory,
			versions: outcome.versions,
		};
		report(outcome, installation, log);
		if (outcome.isDriverChanged) {
			touchLater(outcome.driverPath);
		}
	};

	return {
		async check() {
			try {
				await install();
				problem = undefined;
			} catch (error) {
				if (signal.aborted) {
					return;
				}

				const reason = toReason(error);
				if (reason !== problem) {
					log.error({err: error}, 'installation failed; it is tried again');
				}

				problem = reason;
			} finally {
				checkCount++;
			}
		},
		installation: () => installation,
		problem: () => problem,
		async close() {
			await Promise.all(touches);
		},
	};
};

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
