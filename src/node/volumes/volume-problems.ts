import {formatBytes} from '../../model/byte-size.ts';
import type {VolumeReport} from './list-volumes.ts';

/**
What is wrong with a volume and what to do, a sentence or two each; empty when all is well. The same words on every
surface.
*/
export const describeVolumeProblems = (volume: VolumeReport): string[] =>
	[problemOf(volume) ?? [], refusalOf(volume) ?? [], uncheckedOf(volume) ?? []].flat();

/** How a volume is called: by its bucket, and the prefix in it. */
export const toVolumeName = ({bucket, prefix}: Pick<VolumeReport, 'bucket' | 'prefix'>): string =>
	prefix === '' ? bucket : `${bucket}/${prefix}`;

/** How the daemon speaks with the kernel, where that is not the default; as a list of one or none. */
export const toTransportName = (daemon: VolumeReport['daemon']): string[] =>
	daemon?.transport === undefined || daemon.transport === 'native' ? [] : [`transport ${daemon.transport}`];

const problemOf = (volume: VolumeReport): string | undefined => {
	switch (volume.health) {
		case 'healthy': {
			return undefined;
		}

		case 'failing': {
			const {lastError} = volume.daemon?.fileSystem ?? {};
			return lastError === undefined ? undefined : `${new Date(lastError.atMs).toISOString()} ${lastError.message}`;
		}

		case 'changing': {
			return 'its daemon is being started, or uploads what is left before it ends; look again in a moment.';
		}

		case 'hanging': {
			return volume.kind === 'directory'
				? `the daemon (pid ${volume.daemonPid}) does not answer; end it with kill -9, unmount and mount again. What it had not uploaded is in its journal.`
				: `the daemon (pid ${volume.daemonPid}) does not answer; the agent of the node ends it and starts it again, and "pnx-volume heal" does so at once. What it had not uploaded is in its journal.`;
		}

		case 'dead': {
			return volume.kind === 'directory'
				? 'the daemon is gone, so every use of the directory fails; unmount it and mount it again. What it had not uploaded is in its journal.'
				: 'the daemon is gone, so every use of the directory fails; the agent of the node starts it again, and "pnx-volume heal" does so at once. What it had not uploaded is in its journal.';
		}

		case 'unmounted': {
			return volume.journalBytes === 0
				? undefined
				: `a journal of ${formatBytes(volume.journalBytes)} waits for the next mount of this volume on this node, which uploads what S3 lacks.`;
		}

		case 'gone': {
			return 'nothing is mounted, as after a reboot; the next mount cleans up.';
		}
	}
};

const refusalOf = ({refused}: VolumeReport): string | undefined =>
	refused === undefined
		? undefined
		: `${formatBytes(refused.bytes)} that S3 refused for good, or that a loss of power may have damaged, are kept in ${refused.directory}; save what you need and delete it.`;

/** Where the connection does not protect bytes by itself. */
const uncheckedOf = ({daemon}: VolumeReport): string | undefined => {
	const {checksums} = daemon?.fileSystem ?? {};
	return checksums === undefined || checksums.state === 'all' || checksums.isEncrypted
		? undefined
		: `checksums: ${checksums.state}. ${formatBytes(checksums.otherBytes)} that came from S3 over http have no checksum (${formatBytes(checksums.comparedBytes)} have one), the newest of them of "${checksums.otherKey ?? '?'}": other programs wrote the objects, or they have more than 2 GiB; use an https endpoint.`;
};
