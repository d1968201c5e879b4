import type {CommandModule} from 'yargs';
import {formatBytes} from '../model/volume-options.ts';
import {listVolumes, type VolumeReport} from '../node/list-volumes.ts';
import type {NodeEnvironment} from '../node/node-environment.ts';

/** `status`: every volume of this node, as a table for people or as JSON. */
export const statusCommand = (environment: NodeEnvironment): CommandModule<object, {json: boolean}> => ({
	command: 'status',
	describe: 'Show every mount on this node',
	builder: yargs => yargs
		.option('json', {type: 'boolean', default: false, describe: 'Print an array of objects instead of a table'})
		.example('$0 status', 'Volumes, the directories they are mounted at, bytes that wait for their upload, health')
		.example('$0 status --json', 'The same for a program, with all the numbers of each daemon'),
	async handler({json}) {
		const volumes = await listVolumes(environment.stateDirectory);
		process.stdout.write(json ? `${JSON.stringify(volumes, undefined, '\t')}\n` : formatStatus(volumes, environment.stateDirectory));
	},
});

const columns = ['BUCKET', 'DIRECTORY', 'POD', 'HEALTH', 'DIRTY', 'CACHE', 'MEMORY', 'DAEMON'] as const;

/** One line for each directory that shows a volume, then what went wrong. */
export const formatStatus = (volumes: readonly VolumeReport[], stateDirectory: string): string => {
	if (volumes.length === 0) {
		return `Nothing is mounted on this node (state directory ${stateDirectory}).\n`;
	}

	const rows: Array<readonly string[]> = [columns];
	for (const volume of volumes) {
		const directories = volume.directories.length === 0 ? [undefined] : volume.directories;
		for (const [index, directory] of directories.entries()) {
			const pod = directory?.name === undefined ? '-' : `${directory.namespace ?? '?'}/${directory.name}`;
			const place = directory === undefined ? '-' : `${directory.path}${directory.isMounted ? '' : ' (not mounted)'}`;
			// A volume's own numbers stand in its first line only.
			rows.push([...(index === 0 ? [bucketOf(volume)] : ['']), place, pod, ...(index === 0 ? numbersOf(volume) : [])]);
		}
	}

	const widths = columns.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)));
	const table = rows.map(row => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()).join('\n');
	const remarks = volumes.flatMap(volume => [remarkOf(volume) ?? [], refusalOf(volume) ?? []].flat());
	return `${[table, ...remarks].join('\n')}\n`;
};

const bucketOf = ({bucket, prefix}: VolumeReport): string => (prefix === '' ? bucket : `${bucket}/${prefix}`);

const numbersOf = ({health, dirtyBytes, daemon, daemonPid}: VolumeReport): string[] => [
	health,
	dirtyBytes === undefined ? '?' : formatBytes(dirtyBytes),
	daemon === undefined ? '-' : formatBytes(daemon.fileSystem.cacheBytes),
	daemon === undefined ? '-' : formatBytes(daemon.residentBytes),
	daemonPid === undefined ? '-' : `pid ${daemonPid}`,
];

/** What to do about a volume that is not healthy. */
const remarkOf = (volume: VolumeReport): string | undefined => {
	const name = bucketOf(volume);
	switch (volume.health) {
		case 'healthy': {
			return undefined;
		}

		case 'failing': {
			const {lastError} = volume.daemon?.fileSystem ?? {};
			return lastError === undefined ? undefined : `${name}: ${new Date(lastError.atMs).toISOString()} ${lastError.message}`;
		}

		case 'hanging': {
			return `${name}: the daemon (pid ${volume.daemonPid}) does not answer; kill -9 it, unmount and mount again. What it had not uploaded is in its journal.`;
		}

		case 'dead': {
			return `${name}: the daemon is gone, so every use of the directory fails; unmount it and mount it again. What it had not uploaded is in its journal.`;
		}

		case 'unmounted': {
			return volume.journalBytes === 0 ? undefined : `${name}: a journal of ${formatBytes(volume.journalBytes)} waits for the next mount of this volume on this node, which uploads what S3 lacks.`;
		}

		case 'gone': {
			return `${name}: nothing is mounted, as after a reboot; the next mount cleans up.`;
		}
	}
};

const refusalOf = (volume: VolumeReport): string | undefined => (volume.refused === undefined
	? undefined
	: `${bucketOf(volume)}: ${formatBytes(volume.refused.bytes)} that S3 refused for good are kept in ${volume.refused.directory}; save what you need and delete it.`);
