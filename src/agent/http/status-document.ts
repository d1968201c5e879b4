import type {Notice, WatchedVolume} from '../../healing/watch-message.ts';
import type {VolumeHealth} from '../../node/volumes/list-volumes.ts';
import {toVolumeStatistics, type SampledMetrics, type VolumeStatistics} from '../../node/volumes/volume-statistics.ts';
import {describeVolumeProblems} from '../../node/volumes/volume-problems.ts';
import type {AgentInstallation, AgentSnapshot} from '../agent-snapshot.ts';
import {findReadinessProblems} from './readiness.ts';

/** What the status page shows, as `/status.json` gives it. */
export type StatusDocument = {
	readonly version: string;
	readonly nodeName: string;
	readonly atMs: number;
	readonly startedAtMs: number;
	/** When the watch looked at the volumes. */
	readonly reportedAtMs?: number | undefined;
	readonly installation?: AgentInstallation | undefined;
	/** What is wrong with the agent itself, a sentence each. */
	readonly problems: readonly string[];
	/** The worst first. */
	readonly volumes: readonly StatusVolume[];
	/** The newest first. */
	readonly notices: readonly Notice[];
};

/** A volume as `pnx-volume status --json` has it, but for the counters, which are at `/metrics`. */
export type StatusVolume = Omit<WatchedVolume, 'metrics'> & {
	readonly figures: VolumeStatistics;
	/** What is wrong and what to do, in the words of `pnx-volume status`. */
	readonly problems: readonly string[];
};

/** From the worst to the best. */
const healthOrder: readonly VolumeHealth[] = ['dead', 'hanging', 'failing', 'changing', 'unmounted', 'gone', 'healthy'];

/** What a snapshot says to people at a moment. */
export const toStatusDocument = (
	snapshot: AgentSnapshot,
	earlierOf: (volumeId: string) => SampledMetrics | undefined,
	nowMs: number,
): StatusDocument => {
	const {version, nodeName, startedAtMs, installation, report, notices} = snapshot;
	return {
		version,
		nodeName,
		atMs: nowMs,
		startedAtMs,
		reportedAtMs: report?.atMs,
		installation,
		problems: findReadinessProblems(snapshot, nowMs),
		volumes: (report?.volumes ?? [])
			.map(({metrics, ...volume}) => ({
				...volume,
				figures: toVolumeStatistics({...volume, metrics}, report?.atMs ?? 0, earlierOf(volume.volumeId)),
				problems: describeVolumeProblems(volume),
			}))
			.sort((a, b) => healthOrder.indexOf(a.health) - healthOrder.indexOf(b.health)),
		notices: notices.toReversed(),
	};
};

/** How many volumes are in each state, the worst state first. */
export const countHealth = (
	volumes: readonly StatusVolume[],
): Array<{readonly health: VolumeHealth; readonly count: number}> =>
	healthOrder
		.map(health => ({health, count: volumes.filter(volume => volume.health === health).length}))
		.filter(({count}) => count > 0);
