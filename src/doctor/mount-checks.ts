import type {Deadline} from '../node/deadline.ts';
import type {VolumeReport} from '../node/volumes/list-volumes.ts';
import {mountsAt, type Mount} from '../node/mounts/mount-table.ts';
import {isOurMount} from '../node/mounts/mount-source.ts';
import {toNodejsCommand} from '../node/host/nodejs-command.ts';
import {runCommand} from '../node/host/run-command.ts';
import type {VolumeState} from '../node/volumes/volume-state.ts';
import {toCheck, type Check, type Finding} from './check.ts';

/** What became of a mount: `hanging` when its root did not answer in time, else an error code such as ENOTCONN. */
export type MountAnswer = 'answers' | 'hanging' | (string & {});

export type MountFacts = {
	readonly table: readonly Mount[];
	readonly states: readonly VolumeState[];
	readonly reports: readonly VolumeReport[];
};

/** A busy machine needs seconds for the start of the child alone. */
const probeMs = 15_000;
const probeCountMax = 4;

/** Each FUSE file system of ours once, by one of its mounts: bind mounts have the same device. */
const firstMounts = (table: readonly Mount[]): Mount[] => [
	...new Map(
		table
			.filter(mount => isOurMount(mount))
			.toReversed()
			.map(mount => [mount.device, mount]),
	).values(),
];

/**
Whether every FUSE mount of ours has a daemon. The file systems are asked by children that can be killed, never by
this process.
*/
export const checkFuseMounts = async (facts: MountFacts, deadline: Deadline): Promise<Check> => {
	const healthy = new Set(facts.reports.filter(({daemon}) => daemon !== undefined).map(({volumeId}) => volumeId));
	const served = new Set(
		facts.states
			.filter(({volumeId}) => healthy.has(volumeId))
			.map(({mountPoint}) => mountsAt(facts.table, mountPoint).at(-1)?.device),
	);
	const mounts = firstMounts(facts.table);
	const unserved = mounts.filter(({device}) => !served.has(device));
	const answers: Array<readonly [Mount, MountAnswer]> = [];
	for (let index = 0; index < unserved.length; index += probeCountMax) {
		answers.push(
			...(await Promise.all(
				unserved
					.slice(index, index + probeCountMax)
					.map(async mount => [mount, await probe(mount.path, deadline)] as const),
			)),
		);
	}

	const healed = new Set(
		facts.states
			.filter(({kind}) => kind === 'pods')
			.flatMap(({mountPoint, pods}) => [mountPoint, ...pods.map(({path}) => path)]),
	);
	return judgeFuseMounts(answers, mounts.length, healed);
};

/** `healed`: paths of volumes that `heal` makes work again; of any other mount somebody else knows what it is for. */
export const judgeFuseMounts = (
	answers: ReadonlyArray<readonly [Pick<Mount, 'path' | 'source'>, MountAnswer]>,
	mountCount: number,
	healed: ReadonlySet<string> = new Set(),
): Check => {
	const findings: Finding[] = [];
	for (const [{path, source}, answer] of answers) {
		// Another state directory's, or one that this user may not enter: somebody answers.
		if (answer !== 'answers' && answer !== 'EACCES' && answer !== 'EPERM') {
			findings.push({
				status: 'failed',
				found: `${path} (${source}) ${answer === 'hanging' ? 'hangs: its daemon does not answer the kernel' : `is a dead mount (${answer}): its daemon is gone`}`,
				remedy: healed.has(path)
					? 'pnx-volume heal'
					: `run "pnx-volume unmount ${path}"; if no volume is mounted there, run umount -l ${path}`,
			});
		}
	}

	return toCheck(
		'fuse-mounts',
		findings,
		mountCount === 0 ? 'none' : `${mountCount} ${mountCount === 1 ? 'file system answers' : 'file systems answer'}`,
	);
};

/** From the directory of all pods on. */
const tailOf = (path: string): string => path.slice(path.lastIndexOf('/pods/'));

const probe = async (path: string, deadline: Deadline): Promise<MountAnswer> => {
	const script =
		'try { require("node:fs").statfsSync(process.argv[1]); } catch (error) { console.log(error.code); process.exitCode = 1; }';
	const {exitCode, message} = await runCommand(
		toNodejsCommand(process.execPath),
		['-e', script, path],
		deadline.within(probeMs),
	);
	return exitCode === 0 ? 'answers' : exitCode === undefined ? 'hanging' : message;
};

/** Whether each pod sees its volume, and each mount in a pod's directory belongs to a volume of this node. */
export const checkPodMounts = (facts: MountFacts, {isEveryVolume}: {isEveryVolume: boolean}): Check => {
	const {table, states, reports} = facts;
	const findings: Finding[] = [];
	let podCount = 0;
	for (const state of states.filter(({kind}) => kind === 'pods')) {
		const health = reports.find(({volumeId}) => volumeId === state.volumeId)?.health;
		const device = mountsAt(table, state.mountPoint).at(-1)?.device;
		// Those of a volume that is not mounted at all are left-overs, and told there.
		for (const pod of device === undefined || health === 'dead' ? [] : state.pods) {
			podCount++;
			const mount = mountsAt(table, pod.path).at(-1);
			if (mount === undefined) {
				findings.push({
					status: 'warning',
					found: `${pod.path} shows nothing, but the state of bucket ${state.bucket} says that the pod uses it`,
					remedy: `pnx-volume unmount ${pod.path}`,
				});
			} else if (mount.device !== device) {
				findings.push({
					status: 'failed',
					found: `${pod.path} shows the dead mount of an earlier daemon of bucket ${state.bucket}`,
					remedy:
						'run "pnx-volume heal" (the agent of the node does so by itself), or restart the pod: it gets the new mount',
				});
			}
		}
	}

	if (isEveryVolume) {
		findings.push(...findUnknownPodMounts(facts));
	}

	return toCheck(
		'pod-mounts',
		findings,
		podCount === 0
			? 'no pod uses a volume'
			: `${podCount} ${podCount === 1 ? 'pod sees its volume' : 'pods see their volumes'}`,
	);
};

/** Mounts in pods' directories that belong to no volume of this node. */
const findUnknownPodMounts = ({table, states}: MountFacts): Finding[] => {
	const known = new Set(states.flatMap(({mountPoint, pods}) => [mountPoint, ...pods.map(({path}) => path)]));
	// The same mount by another path, where the directory of the kubelet appears at two places: unmounting it there
	// would take it from the pod.
	const views = new Set(
		states.flatMap(({mountPoint, pods}) =>
			pods.map(({path}) => `${mountsAt(table, mountPoint).at(-1)?.device} ${tailOf(path)}`),
		),
	);
	return table
		.filter(
			mount =>
				isOurMount(mount) &&
				mount.path.includes('/volumes/pnx~volume/') &&
				!known.has(mount.path) &&
				!views.has(`${mount.device} ${tailOf(mount.path)}`),
		)
		.map(({path}) => ({
			status: 'warning',
			found: `${path} is a mount in a pod's directory that no volume of this node knows`,
			remedy: `run umount ${path} if no pod uses it any more`,
		}));
};
