import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {hasErrorCode} from '../model/error-text.ts';
import {formatBytes} from '../model/byte-size.ts';
import type {VolumeReport} from '../node/volumes/list-volumes.ts';
import {mountsAt, readMountTable} from '../node/mounts/mount-table.ts';
import {readProcessIdentity} from '../node/host/process-identity.ts';
import {listVolumeIds, volumePaths} from '../node/volumes/volume-directory.ts';
import {isNewerState} from '../node/volumes/volume-state.ts';
import {toCheck, type Check, type Finding} from './check.ts';
import {labelOf} from './volume-label.ts';

/** Volumes of which something is left although nothing of them is mounted. */
export const checkLeftOvers = (
	reports: readonly VolumeReport[],
	{stateDirectory, volumeIds}: {stateDirectory: string; volumeIds: readonly string[]},
): Check => {
	const findings: Finding[] = [];
	for (const report of reports.filter(({health}) => health === 'gone')) {
		findings.push({
			status: 'warning',
			found: `${labelOf(report)} has no daemon and no mount, as after a reboot, and no bytes wait for their upload`,
			remedy: `the next mount or unmount of the volume cleans up; or delete ${volumePaths(stateDirectory, report.volumeId).directory}`,
		});
	}

	for (const report of reports.filter(({health, refused}) => health === 'unmounted' && refused === undefined)) {
		const {staging} = volumePaths(stateDirectory, report.volumeId);
		if (countRecords(staging) === 0) {
			findings.push({
				status: 'warning',
				found: `${labelOf(report)} has no daemon, and bytes in ${staging} that no record of the journal names: they were never closed or synced`,
				remedy: 'the next mount of the volume deletes them',
			});
		}
	}

	for (const volumeId of volumeIds.filter(id => !reports.some(report => report.volumeId === id))) {
		const {directory, stateFile, mountPoint} = volumePaths(stateDirectory, volumeId);
		// Below a mount are the files of the bucket.
		if (existsSync(stateFile) || mountsAt(readMountTable(), mountPoint).length > 0) {
			findings.push({
				status: 'failed',
				found: `${stateFile} ${isNewerState(stateFile) ? 'was written by a newer version of pnx-volume' : 'is damaged'}`,
				remedy: `delete nothing below ${directory}: while the volume is mounted, its files are those of the bucket; mount the volume again with the version that wrote the file, which repairs it`,
			});
		} else {
			findings.push({
				status: 'warning',
				found: `${directory} has no state.json, and nothing of it is mounted`,
				remedy: 'save the files in its staging/, if there are any, and delete it',
			});
		}
	}

	return toCheck('left-overs', findings, 'no volume without a daemon has left anything behind');
};

/** Bytes on this node that S3 lacks and nobody is uploading: journals without a daemon, and what S3 refused. */
export const checkStaging = (reports: readonly VolumeReport[], stateDirectory: string): Check => {
	const findings: Finding[] = [];
	for (const report of reports) {
		const {staging} = volumePaths(stateDirectory, report.volumeId);
		const recordCount = hasNoDaemon(report) ? countRecords(staging) : 0;
		if (recordCount > 0) {
			findings.push({
				status: 'warning',
				found: `${labelOf(report)}: ${recordCount} ${recordCount === 1 ? 'file waits' : 'files wait'} in the journal ${staging} (${formatBytes(report.journalBytes)})`,
				remedy: 'mount the volume again on this node with the same options: that uploads them',
			});
		}

		if (report.refused !== undefined) {
			findings.push({
				status: 'warning',
				found: `${labelOf(report)}: ${formatBytes(report.refused.bytes)} that S3 refused for good, or that a loss of power may have damaged, are in ${report.refused.directory}`,
				remedy: 'save what you need from there, and delete it',
			});
		}
	}

	return toCheck('staging', findings, 'no bytes wait for a mount or for a person');
};

/** Temporary files whose writer died before it renamed them. */
export const checkHalfWrittenFiles = (
	reports: readonly VolumeReport[],
	{stateDirectory, volumeIds}: {stateDirectory: string; volumeIds: readonly string[]},
): Check => {
	const paths = volumeIds.flatMap(volumeId => {
		const {directory, staging} = volumePaths(stateDirectory, volumeId);
		const report = reports.find(candidate => candidate.volumeId === volumeId);
		const stateFiles = namesIn(directory)
			.filter(name => isAbandonedStateFile(name))
			.map(name => join(directory, name));
		// A daemon that lives may be writing its records just now.
		const records =
			report === undefined || hasNoDaemon(report)
				? namesIn(staging)
						.filter(name => name.endsWith('.tmp'))
						.map(name => join(staging, name))
				: [];
		return [...stateFiles, ...records];
	});
	return toCheck(
		'half-written-files',
		paths.map(path => ({
			status: 'warning',
			found: `${path} is a temporary file that was never finished`,
			remedy: 'delete it, as the next mount of the volume does: no program was told that it was written',
		})),
		'none',
	);
};

/** `state.json.<pid>.tmp` of a process that is gone. */
const isAbandonedStateFile = (name: string): boolean => {
	const pid = /^state\.json\.(\d+)\.tmp$/.exec(name)?.[1];
	return pid !== undefined && readProcessIdentity(Number(pid)) === undefined;
};

const countRecords = (staging: string): number => namesIn(staging).filter(name => name.endsWith('.json')).length;

const hasNoDaemon = ({daemon, daemonPid}: VolumeReport): boolean => daemon === undefined && daemonPid === undefined;

const namesIn = (directory: string): string[] => {
	try {
		return readdirSync(directory);
	} catch (error) {
		if (hasErrorCode(error, 'ENOENT', 'ENOTDIR')) {
			return [];
		}

		throw error;
	}
};

/** The volumes that left anything, or those of them that are asked for; always in the same order. */
export const findVolumeIds = (stateDirectory: string, only: readonly string[] | undefined): string[] =>
	listVolumeIds(stateDirectory)
		.filter(volumeId => only?.includes(volumeId) ?? true)
		.sort();
