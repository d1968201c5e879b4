import {realpathSync} from 'node:fs';
import {basename, dirname, join, resolve} from 'node:path';
import {hasErrorCode} from '../model/error-text.ts';
import {NodeError} from './node-error.ts';

/** What the code of this folder needs to know of the machine. */
export type NodeEnvironment = {
	/** Holds `volumes/` and `locks/`; mode 0700. */
	readonly stateDirectory: string;
	/** Holds what a reboot may take: on tmpfs where the machine has one for `/run`; mode 0700. */
	readonly runDirectory: string;
	/** One line for each call, and what the daemons say. */
	readonly logPath: string;
	/** Who may mount what (docs/POLICY.md); without the file the built-in policy holds. */
	readonly policyPath: string;
	/** The script of the mount daemon. */
	readonly daemonPath: string;
	/** A mount that takes longer fails. */
	readonly mountTimeoutMs: number;
	/** How long the unmount of a volume's last pod waits for uploads before it fails (the kubelet then calls again). */
	readonly drainTimeoutMs: number;
	/** How long a daemon stays after the unmount of its volume's last pod, for one that comes back. 0: not at all. */
	readonly idleMs: number;
	/** The first way to launch a daemon that is tried; those after it are what a failure falls back to. */
	readonly launchWay: LaunchWay;
};

/**
Ways to launch a daemon, the best first: a transient service of systemd, a cgroup of its own, nothing but a session
of its own.
*/
export const launchWays = ['systemd', 'cgroup', 'session'] as const;
export type LaunchWay = (typeof launchWays)[number];

const timeoutMsMax = 86_400_000;

/** Reads the variables; `defaultDaemonPath` is where the build put the daemon. */
export const readNodeEnvironment = (variables: NodeJS.ProcessEnv, defaultDaemonPath: string): NodeEnvironment => ({
	stateDirectory: toRealPath(resolve(variables['PNX_VOLUME_STATE_DIR'] || '/var/lib/pnx-volume')),
	runDirectory: toRealPath(resolve(variables['PNX_VOLUME_RUN_DIR'] || '/run/pnx-volume')),
	policyPath: resolve(
		variables['PNX_VOLUME_POLICY'] || join(variables['PNX_VOLUME_STATE_DIR'] || '/var/lib/pnx-volume', 'policy.json'),
	),
	logPath: resolve(variables['PNX_VOLUME_LOG'] || '/var/log/pnx-volume.log'),
	daemonPath: variables['PNX_VOLUME_DAEMON'] || defaultDaemonPath,
	mountTimeoutMs: parseTimeoutMs(variables, 'PNX_VOLUME_MOUNT_TIMEOUT_MS', {defaultMs: 60_000}),
	drainTimeoutMs: parseTimeoutMs(variables, 'PNX_VOLUME_DRAIN_TIMEOUT_MS', {defaultMs: 600_000}),
	idleMs: parseTimeoutMs(variables, 'PNX_VOLUME_IDLE_MS', {defaultMs: 30_000, minMs: 0}),
	launchWay: parseLaunchWay(variables),
});

/** As the mount table will spell it: without symbolic links, also where the last directories are still to be made. */
const toRealPath = (path: string): string => {
	try {
		return realpathSync(path);
	} catch (error) {
		return hasErrorCode(error, 'ENOENT') && path !== '/' ? join(toRealPath(dirname(path)), basename(path)) : path;
	}
};

const parseTimeoutMs = (
	variables: NodeJS.ProcessEnv,
	name: string,
	{defaultMs, minMs = 1}: {defaultMs: number; minMs?: number},
): number => {
	const value = variables[name];
	if (value === undefined || value === '') {
		return defaultMs;
	}

	const timeoutMs = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
	if (!(timeoutMs >= minMs && timeoutMs <= timeoutMsMax)) {
		throw new NodeError(
			`${name} must be a number of milliseconds from ${minMs} to ${timeoutMsMax}: current value is "${value.slice(0, 40)}"`,
		);
	}

	return timeoutMs;
};

const parseLaunchWay = (variables: NodeJS.ProcessEnv): LaunchWay => {
	const value = variables['PNX_VOLUME_LAUNCH'] || 'systemd';
	const way = launchWays.find(candidate => candidate === value);
	if (way === undefined) {
		throw new NodeError(
			`PNX_VOLUME_LAUNCH must be one of ${launchWays.join(', ')}: current value is "${value.slice(0, 40)}"`,
		);
	}

	return way;
};
