import {toReason} from '../model/error-text.ts';
import {createDeadline, type Deadline} from '../node/deadline.ts';
import {listVolumes} from '../node/volumes/list-volumes.ts';
import {readMountTable} from '../node/mounts/mount-table.ts';
import type {NodeEnvironment} from '../node/node-environment.ts';
import {readAllVolumeStates, type VolumeState} from '../node/volumes/volume-state.ts';
import type {Check} from './check.ts';
import {checkDaemons} from './daemon-check.ts';
import {checkDriver, findInstalledDriver} from './driver-check.ts';
import {checkFuseDevice} from './fuse-device-check.ts';
import {checkFuseLibraries} from './fuse-library-check.ts';
import {checkHalfWrittenFiles, checkLeftOvers, checkStaging, findVolumeIds} from './left-over-checks.ts';
import {checkLog} from './log-check.ts';
import {checkFuseMounts, checkPodMounts} from './mount-checks.ts';
import {checkRuntime, findRuntime} from './runtime-checks.ts';
import {checkDisk, checkRunDirectory, checkStateDirectory} from './state-directory-checks.ts';

export type NodeCheckSettings = {
	readonly environment: NodeEnvironment;
	/** The runtime or checkout that this command is part of. */
	readonly ownHome: string;
	readonly variables: NodeJS.ProcessEnv;
	/** `undefined`: where kubelets look by default. */
	readonly pluginDirectory: string | undefined;
	/** An absolute directory or a volume's id: only that volume's things are looked at. */
	readonly target: string | undefined;
};

/** All checks of a node together take no longer. */
const nodeMs = 60_000;

/** Looks at everything on this node that a volume needs, in the order in which it is needed. Changes nothing. */
export const checkNode = async (settings: NodeCheckSettings): Promise<Check[]> => {
	const deadline = createDeadline(nodeMs);
	const {
		environment: {logPath, runDirectory, stateDirectory},
		ownHome,
		variables,
		pluginDirectory,
	} = settings;
	const home = await attemptValue(() =>
		findRuntime({driverPath: findInstalledDriver(pluginDirectory), ownHome, variables}),
	);
	return [
		await attempt('fuse-device', () => checkFuseDevice()),
		await attempt('fuse-libraries', () => checkFuseLibraries(home, deadline)),
		await attempt('driver', () => checkDriver({pluginDirectory, ownHome, logPath}, deadline)),
		await attempt('runtime', () => checkRuntime(home, deadline)),
		await attempt('state-directory', () => checkStateDirectory(stateDirectory)),
		await attempt('run-directory', () => checkRunDirectory(runDirectory)),
		await attempt('disk', () => checkDisk(stateDirectory)),
		...(await checkVolumes(settings, deadline)),
		await attempt('log', () => checkLog(logPath)),
	];
};

const checkVolumes = async (
	{environment: {stateDirectory}, target}: NodeCheckSettings,
	deadline: Deadline,
): Promise<Check[]> => {
	let states: VolumeState[];
	let reports;
	try {
		const all = readAllVolumeStates(stateDirectory);
		states = target === undefined ? all : all.filter(state => isTarget(state, target));
		const ids = new Set(states.map(({volumeId}) => volumeId));
		reports = (await listVolumes(stateDirectory)).filter(({volumeId}) => ids.has(volumeId));
	} catch (error) {
		return [toBrokenCheck('volumes', error)];
	}

	if (target !== undefined && states.length === 0) {
		return [
			{
				name: 'volume',
				status: 'failed',
				found: `no volume of this node has the id "${target}" or is mounted there`,
				remedy: '"pnx-volume status --json" shows the directories and ids of all volumes',
			},
		];
	}

	const facts = {table: readMountTable(), states, reports};
	const scope = {
		stateDirectory,
		volumeIds:
			(await attemptValue(() =>
				findVolumeIds(stateDirectory, target === undefined ? undefined : states.map(({volumeId}) => volumeId)),
			)) ?? [],
	};
	const isEveryVolume = target === undefined;
	const devices = new Set(states.flatMap(({mountPoint, pods}) => [mountPoint, ...pods.map(({path}) => path)]));
	return [
		await attempt('left-overs', () => checkLeftOvers(reports, scope)),
		await attempt('staging', () => checkStaging(reports, stateDirectory)),
		await attempt('half-written-files', () => checkHalfWrittenFiles(reports, scope)),
		await attempt('daemons', () => checkDaemons(reports)),
		await attempt('fuse-mounts', () =>
			checkFuseMounts(
				isEveryVolume ? facts : {...facts, table: facts.table.filter(({path}) => devices.has(path))},
				deadline,
			),
		),
		await attempt('pod-mounts', () => checkPodMounts(facts, {isEveryVolume})),
	];
};

const isTarget = ({volumeId, mountPoint, pods}: VolumeState, target: string): boolean =>
	volumeId === target || mountPoint === target || pods.some(({path}) => path === target);

/** A check that cannot be made is a finding, and does not keep the others from being made. */
const attempt = async (name: string, check: () => Check | Promise<Check>): Promise<Check> => {
	try {
		return await check();
	} catch (error) {
		return toBrokenCheck(name, error);
	}
};

const toBrokenCheck = (name: string, error: unknown): Check => ({
	name,
	status: 'failed',
	found: `the check itself failed: ${toReason(error)}`,
	remedy: 'run the doctor as root; if the check still fails, repair what the message names',
});

/** `undefined` also when it cannot be found out: the check that needs it says so. */
const attemptValue = async <Value>(find: () => Value): Promise<Value | undefined> => {
	try {
		return find();
	} catch {
		return undefined;
	}
};
