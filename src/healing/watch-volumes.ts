import {setTimeout as delay} from 'node:timers/promises';
import {toReason} from '../model/error-text.ts';
import {listVolumes} from '../node/volumes/list-volumes.ts';
import {formatLogLine} from '../node/call-log.ts';
import {readMountTable} from '../node/mounts/mount-table.ts';
import type {NodeEnvironment} from '../node/node-environment.ts';
import {readAllVolumeStates} from '../node/volumes/volume-state.ts';
import {sweepNode} from './sweep-node.ts';
import {VolumeWatcher, type WatchSettings} from './volume-watcher.ts';
import type {WatchedVolume, WatchMessage} from './watch-message.ts';

/**
Daemons that are started at the same time: after all were killed for want of memory, all at once would end as
before.
*/
const workCountMax = 4;

/**
Looks at every volume of the node again and again until the signal, and heals what it can. Healing under way is
waited for; it may also be cut off.
*/
export const watchVolumes = async (
	environment: NodeEnvironment,
	{
		settings,
		version,
		emit,
		signal,
	}: {settings: WatchSettings; version: string; emit: (message: WatchMessage) => void; signal: AbortSignal},
): Promise<void> => {
	const watchers = new Map<string, VolumeWatcher>();
	while (!signal.aborted) {
		const volumes = await lookAtAll(watchers, environment, settings, emit);
		emit({type: 'report', report: {atMs: Date.now(), version, volumes}});
		await sweep(environment);
		await delay(settings.intervalMs, undefined, {signal}).catch(() => undefined); // The signal ends the wait.
	}

	await Promise.all([...watchers.values()].map(async ({work}) => work));
};

/** A failed removal must not stop the watch; the next round tries again. */
const sweep = async (environment: NodeEnvironment): Promise<void> => {
	try {
		await sweepNode(environment);
	} catch (error) {
		process.stderr.write(
			formatLogLine('warn', {
				err: {message: toReason(error)},
				msg: 'leftovers of killed calls could not be removed from this node',
			}),
		);
	}
};

const lookAtAll = async (
	watchers: Map<string, VolumeWatcher>,
	environment: NodeEnvironment,
	settings: WatchSettings,
	emit: (message: WatchMessage) => void,
): Promise<WatchedVolume[]> => {
	const reports = await listVolumes(environment.stateDirectory);
	const states = new Map(readAllVolumeStates(environment.stateDirectory).map(state => [state.volumeId, state]));
	const table = readMountTable();
	for (const [volumeId, watcher] of watchers) {
		if (!states.has(volumeId) && watcher.work === undefined) {
			watchers.delete(volumeId);
		}
	}

	const watched = await Promise.all(
		reports.map(async report => {
			const state = states.get(report.volumeId);
			if (state === undefined) {
				return undefined;
			}

			const watcher =
				watchers.get(report.volumeId) ??
				new VolumeWatcher(environment, settings, notice => emit({type: 'notice', notice}));
			watchers.set(report.volumeId, watcher);
			const mayWork = (): boolean =>
				[...watchers.values()].filter(({work}) => work !== undefined).length < workCountMax;
			return watcher.look(state, report, table, {mayWork});
		}),
	);
	return watched.filter(volume => volume !== undefined);
};
