import {existsSync, readdirSync, readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {toReason} from '../model/error-text.ts';
import type {Deadline} from '../node/deadline.ts';
import {defaultPluginDirectory} from '../node/host/plugin-directories.ts';
import {runCommand} from '../node/host/run-command.ts';
import {toCheck, type Check, type Finding} from './check.ts';
import {isExecutable} from './runtime-checks.ts';

const name = 'driver';
const kubeletDirectory = '/var/lib/kubelet';
const initMs = 5000;

export type DriverSettings = {
	/** `undefined`: where kubelets look by default. */
	readonly pluginDirectory: string | undefined;
	/** Holds the driver that belongs to this command. */
	readonly ownHome: string;
	readonly logPath: string;
};

/** The driver where the kubelet looks for it; `undefined` when there is none. */
export const findInstalledDriver = (pluginDirectory = defaultPluginDirectory): string | undefined => {
	const path = join(pluginDirectory, 'pnx~volume', 'volume');
	return existsSync(path) ? path : undefined;
};

/** Whether the kubelet would find our driver, could run it, and would understand its answer. Runs its `init`. */
export const checkDriver = async (settings: DriverSettings, deadline: Deadline): Promise<Check> => {
	const place = toPlace(settings);
	const {path, install} = place;
	if (!existsSync(path)) {
		return toMissing(settings, place);
	}

	if (!statSync(path).isFile() || !isExecutable(path)) {
		return toCheck(name, [{status: 'failed', found: `${path} is not an executable file`, remedy: install}], '');
	}

	const findings = [findOtherFiles(place), findDifference(place), await findRefusal(place, settings.logPath, deadline)];
	return toCheck(
		name,
		findings.filter(finding => finding !== undefined),
		`${path} answers "init"`,
	);
};

type DriverPlace = {
	readonly directory: string;
	readonly path: string;
	/** The driver that belongs to this command. */
	readonly source: string;
	/** The command that puts it there. */
	readonly install: string;
};

const toPlace = ({pluginDirectory = defaultPluginDirectory, ownHome}: DriverSettings): DriverPlace => {
	const directory = join(pluginDirectory, 'pnx~volume');
	const path = join(directory, 'volume');
	const source = join(ownHome, 'driver/volume');
	return {directory, path, source, install: `install -D -m 0755 ${source} '${path}'`};
};

const toMissing = ({pluginDirectory}: DriverSettings, {path, install}: DriverPlace): Check => {
	if (pluginDirectory === undefined && !existsSync(defaultPluginDirectory) && !existsSync(kubeletDirectory)) {
		return {
			name,
			status: 'skipped',
			found: `no kubelet on this machine (neither ${defaultPluginDirectory} nor ${kubeletDirectory}); --plugin-dir names another place`,
		};
	}

	const remedy = `${install}; where the kubelet has another --volume-plugin-dir, give it as --plugin-dir`;
	return toCheck(name, [{status: 'failed', found: `${path} does not exist`, remedy}], '');
};

const findOtherFiles = ({directory}: DriverPlace): Finding | undefined => {
	const others = readdirSync(directory).filter(entry => entry !== 'volume');
	return others.length === 0
		? undefined
		: {
				status: 'warning',
				found: `${directory} also holds ${others.slice(0, 3).join(', ')}`,
				remedy:
					'move everything but "volume" out of that directory: the kubelet probes the driver again for each change in it',
			};
};

const findDifference = ({path, source, install}: DriverPlace): Finding | undefined =>
	isSameFile(path, source)
		? undefined
		: {
				status: 'warning',
				found: `${path} is not the driver of this pnx-volume (${source})`,
				remedy: install,
			};

const findRefusal = async (
	{path, install}: DriverPlace,
	logPath: string,
	deadline: Deadline,
): Promise<Finding | undefined> => {
	const {exitCode, message} = await runCommand(
		'/bin/sh',
		['-c', 'export PNX_VOLUME_LOG="$1"; exec "$2" init', 'sh', logPath, path],
		deadline.within(initMs),
	);
	const wrong = exitCode === 0 ? findWrongAnswer(message) : message || `exit status ${exitCode}`;
	return wrong === undefined
		? undefined
		: {
				status: 'failed',
				found: `${path} does not answer "init": ${wrong}`,
				remedy: `run it by hand (${path} init), and ${install}`,
			};
};

/** What keeps a kubelet from using this answer to `init`: it reads all of the output as one JSON value. */
export const findWrongAnswer = (output: string): string | undefined => {
	try {
		const {status, capabilities} = (JSON.parse(output) ?? {}) as {
			status?: unknown;
			capabilities?: {attach?: unknown} | null;
		};
		if (status !== 'Success') {
			return `its status is ${JSON.stringify(status)}`;
		}

		return capabilities?.attach === false
			? undefined
			: 'it does not say "attach": false, so the kubelet would wait for a controller to attach the volume';
	} catch (error) {
		return `its output is not one JSON value (${toReason(error)})`;
	}
};

/**
A runtime without a driver in it has nothing to compare with. The lines that the installer writes anew do not count.
*/
const isSameFile = (path: string, source: string): boolean =>
	!existsSync(source) || readDriver(path) === readDriver(source);

const readDriver = (path: string): string => readFileSync(path, 'utf8').replaceAll(/^(runtime|settings)=.*$/gm, '$1=');
