import {existsSync, readdirSync, readFileSync, rmSync, statfsSync} from 'node:fs';
import {join} from 'node:path';
import {hasErrorCode} from '../../model/error-text.ts';
import type {DaemonRequest} from './daemon-protocol.ts';
import {removeLeftOvers, replaceStateFile} from '../host/durable-file.ts';
import {readBootId} from '../host/process-identity.ts';
import {createRunDirectory} from '../host/run-directory.ts';

/** How a volume's daemon was started, for it to be started again after its death. */
export type LaunchRecord = {
	readonly formatVersion: 1;
	/** A record of another boot counts for nothing. */
	readonly bootId: string;
	/** `missing`: the daemon needs secrets that are not kept here, because this directory lies on a disk. */
	readonly credentials: 'kept' | 'missing' | 'not needed';
	readonly request: DaemonRequest;
	/** What the daemon was given of its starter's environment. */
	readonly variables: Readonly<Record<string, string>>;
};

/** `f_type` of statfs(2): the file systems whose files are in memory alone. */
const memoryFileSystems: ReadonlySet<number> = new Set([0x01_02_19_94, 0x85_84_58_f6]);

/** Keys of AWS; and proxies, whose URLs may hold a password. */
const secretVariable = /^AWS_(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN)$|_proxy$/i;

/**
Keeps how a daemon was started, for root's eyes only. Secrets are kept only where they never reach a disk. A record that
cannot be written (full file system) is none: the volume works, but its daemon will not be started again by itself.
*/
export const writeLaunchRecord = (
	runDirectory: string,
	request: DaemonRequest,
	variables: Readonly<Record<string, string>>,
): void => {
	const path = recordPath(runDirectory, request.volumeId);
	try {
		const directory = createRunDirectory(runDirectory, 'launch');
		replaceStateFile(path, `${JSON.stringify(toRecord(request, variables, isInMemory(directory)))}\n`);
	} catch (error) {
		if (!(error instanceof Error && 'code' in error)) {
			throw error;
		}

		// No old record may stay for a daemon that was started in another way.
		rmSync(path, {force: true});
	}
};

/** `undefined` when there is none of this boot that can be understood. */
export const readLaunchRecord = (runDirectory: string, volumeId: string): LaunchRecord | undefined => {
	try {
		const parsed: unknown = JSON.parse(readFileSync(recordPath(runDirectory, volumeId), 'utf8'));
		return isLaunchRecord(parsed) && parsed.bootId === readBootId() && parsed.request.volumeId === volumeId
			? parsed
			: undefined;
	} catch (error) {
		if (error instanceof SyntaxError || hasErrorCode(error, 'ENOENT', 'ENOTDIR')) {
			return undefined;
		}

		throw error;
	}
};

/**
Removes a record, and what a call that was killed while it wrote one has left: that has the credentials in it, too. The
caller holds the lock of the volume, or the volume is gone.
*/
export const removeLaunchRecord = (runDirectory: string, volumeId: string): void => {
	rmSync(recordPath(runDirectory, volumeId), {force: true});
	const directory = join(runDirectory, 'launch');
	if (existsSync(directory)) {
		removeLeftOvers(directory, new RegExp(`^\\.${volumeId}\\.json\\.[0-9a-f]+$`));
	}
};

/** The volumes that have a record, or a part of one, whether or not there is anything else of them. */
export const listLaunchRecords = (runDirectory: string): string[] => {
	try {
		const names = readdirSync(join(runDirectory, 'launch'));
		const ids = names.flatMap(name => /^\.?([0-9a-f]{16})\.json(?:\.[0-9a-f]+)?$/.exec(name)?.[1] ?? []);
		return [...new Set(ids)];
	} catch (error) {
		if (hasErrorCode(error, 'ENOENT', 'ENOTDIR')) {
			return [];
		}

		throw error;
	}
};

const recordPath = (runDirectory: string, volumeId: string): string => join(runDirectory, 'launch', `${volumeId}.json`);

const toRecord = (
	request: DaemonRequest,
	variables: Readonly<Record<string, string>>,
	isSecretSafe: boolean,
): LaunchRecord => {
	const plainVariables = Object.fromEntries(Object.entries(variables).filter(([name]) => !secretVariable.test(name)));
	const {credentials, ...plainRequest} = request;
	const isSecretNeeded =
		credentials !== undefined || Object.keys(plainVariables).length < Object.keys(variables).length;
	const common = {
		formatVersion: 1,
		bootId: readBootId(),
		credentials: isSecretNeeded ? (isSecretSafe ? 'kept' : 'missing') : 'not needed',
	} as const;
	return isSecretSafe ? {...common, request, variables} : {...common, request: plainRequest, variables: plainVariables};
};

/**
Whether a directory is on tmpfs or ramfs: what is written there never reaches a disk. (tmpfs may be swapped out, as
the memory of every process may.)
*/
export const isInMemory = (directory: string): boolean => memoryFileSystems.has(statfsSync(directory).type);

const isLaunchRecord = (value: unknown): value is LaunchRecord =>
	typeof value === 'object' &&
	value !== null &&
	'formatVersion' in value &&
	value.formatVersion === 1 &&
	'bootId' in value &&
	typeof value.bootId === 'string' &&
	'credentials' in value &&
	typeof value.credentials === 'string' &&
	'variables' in value &&
	typeof value.variables === 'object' &&
	value.variables !== null &&
	'request' in value &&
	typeof value.request === 'object' &&
	value.request !== null &&
	'volumeId' in value.request;
