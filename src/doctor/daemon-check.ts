import type {VolumeReport} from '../node/volumes/list-volumes.ts';
import {toCheck, type Check, type Finding} from './check.ts';
import {labelOf} from './volume-label.ts';

/** Whether each volume that is mounted has a daemon that lives and answers its control socket in time. */
export const checkDaemons = (reports: readonly VolumeReport[]): Check => {
	const mounted = reports.filter(({health}) => health !== 'gone' && health !== 'unmounted');
	const findings = mounted.map(report => judgeDaemon(report)).filter(finding => finding !== undefined);
	return toCheck(
		'daemons',
		findings,
		mounted.length === 0
			? 'no volume is mounted'
			: `${mounted.length} ${mounted.length === 1 ? 'daemon answers' : 'daemons answer'}`,
	);
};

const judgeDaemon = (report: VolumeReport): Finding | undefined => {
	const path = report.directories[0]?.path ?? '<directory>';
	const isOfPods = report.kind !== 'directory';
	switch (report.health) {
		case 'dead': {
			return {
				status: 'failed',
				found: `${labelOf(report)}: the daemon is gone, and every use of ${path} fails`,
				remedy: isOfPods
					? 'run "pnx-volume heal" (the agent of the node does so by itself), and restart pods that still get errors; what was not uploaded is in the journal of the volume'
					: `run "pnx-volume unmount ${path}" and mount it again; what was not uploaded is in the journal of the volume`,
			};
		}

		case 'hanging': {
			return {
				status: 'failed',
				found: `${labelOf(report)}: the daemon (pid ${report.daemonPid}) lives and does not answer, or has no mount`,
				remedy: isOfPods
					? 'run "pnx-volume heal" (the agent of the node does so by itself after half a minute): it ends the daemon and starts it again; what was not uploaded is in the journal of the volume'
					: `look into the log; then run kill -9 ${report.daemonPid}, unmount, and mount again; what was not uploaded is in the journal of the volume`,
			};
		}

		case 'failing': {
			return {
				status: 'warning',
				found: `${labelOf(report)}: ${report.daemon?.fileSystem.lastError?.message}`,
				remedy: 'repair what the message names (--bucket checks credentials and bucket); uploads are tried again',
			};
		}

		case 'healthy':
		case 'changing':
		case 'unmounted':
		case 'gone': {
			return undefined;
		}
	}
};
