import {formatBytes} from '../model/byte-size.ts';
import type {PodMount} from '../node/volumes/volume-state.ts';
import type {HealOutcome} from './heal-volume.ts';
import type {Notice} from './watch-message.ts';

type Subject = {readonly volumeId: string; readonly bucket: string; readonly pods: readonly PodMount[]};

const messageCharactersMax = 1000;

const toNotice = (
	{volumeId, bucket, pods}: Subject,
	type: Notice['type'],
	reason: string,
	message: string,
): Notice => ({
	atMs: Date.now(),
	type,
	reason,
	message: message.slice(0, messageCharactersMax),
	volumeId,
	bucket,
	pods: pods.map(({path, uid, name, namespace, volumeName}) => ({path, uid, name, namespace, volumeName})),
});

/** What a healing came to: one notice for those who see the volume again, one for those who have to be restarted. */
export const describeHealing = (healing: Extract<HealOutcome, {outcome: 'healed'}>): Notice[] => {
	const {state, pods, restartNeeded, wasHung, isStarted, dump} = healing;
	const subject = {volumeId: state.volumeId, bucket: state.bucket};
	const cause = wasHung
		? `The daemon of bucket ${state.bucket} did not answer any more; it was ended and started again${dump === undefined ? '' : ` (what it was doing is in ${dump} on the node)`}`
		: isStarted
			? `The daemon of bucket ${state.bucket} had died and was started again`
			: `The mount of bucket ${state.bucket} was renewed after its daemon had died`;
	const loss =
		'Files that were open get an error and must be opened again; what was closed or synced is kept and uploaded.';
	const others = pods.filter(pod => !restartNeeded.includes(pod));
	return [
		...(others.length === 0
			? []
			: [
					toNotice(
						{...subject, pods: others},
						'Normal',
						'VolumeHealed',
						`${cause}. The volume can be used again. ${loss}`,
					),
				]),
		...(restartNeeded.length === 0
			? []
			: [
					toNotice(
						{...subject, pods: restartNeeded},
						'Warning',
						'VolumeHealedRestartNeeded',
						`${cause}. A container of this pod still has the dead mount ("Transport endpoint is not connected") until it is restarted: delete the pod, or end the container's main process. Containers whose volumeMount has "mountPropagation: HostToContainer", is not readOnly on a writable volume, and has no subPath see the new mount without a restart. ${loss}`,
					),
				]),
	];
};

export const describeMissingCredentials = ({
	state,
	pods,
	reason,
}: Extract<HealOutcome, {outcome: 'needs pod restart'}>): Notice =>
	toNotice(
		{volumeId: state.volumeId, bucket: state.bucket, pods},
		'Warning',
		'VolumeNeedsPodRestart',
		`The daemon of bucket ${state.bucket} has died and cannot be started again without its pods: ${reason}. Delete every pod of this node that uses the volume; when new ones mount it, what was closed or synced is uploaded.`,
	);

export const describeCrashLoop = (
	subject: Subject,
	{startCount, nextStartAtMs, logPath}: {startCount: number; nextStartAtMs: number; logPath: string},
): Notice =>
	toNotice(
		subject,
		'Warning',
		'VolumeCrashLoop',
		`The daemon of bucket ${subject.bucket} has died ${startCount} times in a row; it is started again at ${new Date(nextStartAtMs).toISOString()}; the pauses grow as long as it keeps dying. The log ${logPath} on the node says why it dies.`,
	);

export const describeFailedHealing = (subject: Subject, reason: string): Notice =>
	toNotice(
		subject,
		'Warning',
		'VolumeHealingFailed',
		`Bucket ${subject.bucket} cannot be used, and healing it failed: ${reason}. Healing is tried again, with growing pauses; "pnx-volume heal" on the node tries at once.`,
	);

export const describeStuckBacklog = (
	subject: Subject,
	{dirtyBytes, minutes}: {dirtyBytes: number; minutes: number},
): Notice =>
	toNotice(
		subject,
		'Warning',
		'VolumeUploadStuck',
		`${formatBytes(dirtyBytes)} of bucket ${subject.bucket} have waited for their upload for ${minutes} minutes without progress and without an error. Is S3 reachable from this node, and fast enough? "pnx-volume status" and "pnx-volume doctor" on the node say more.`,
	);

export const describeFailing = (subject: Subject, error: string): Notice =>
	toNotice(
		subject,
		'Warning',
		'VolumeFailing',
		`Requests to bucket ${subject.bucket} fail: ${error}. They are tried again; until they succeed, the node keeps what is written.`,
	);

export const describeRecovered = (subject: Subject): Notice =>
	toNotice(subject, 'Normal', 'VolumeRecovered', `Requests to bucket ${subject.bucket} succeed again.`);

export const describeKeptBytes = (subject: Subject, {bytes, directory}: {bytes: number; directory: string}): Notice =>
	toNotice(
		subject,
		'Warning',
		'VolumeBytesKept',
		`${formatBytes(bytes)} of bucket ${subject.bucket} are not in S3 and will not be uploaded: S3 refused them for good, or a loss of power may have damaged them. They are kept in ${directory} on the node; the log of the daemon names the files. Save what you need and delete it.`,
	);
