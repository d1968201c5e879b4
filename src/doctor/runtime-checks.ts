import {accessSync, constants, existsSync, lstatSync, readFileSync, realpathSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import type {Deadline} from '../node/deadline.ts';
import {runCommand} from '../node/host/run-command.ts';
import {toCheck, type Check, type Finding} from './check.ts';

const installedHome = '/opt/pnx-volume/current';
const runMs = 10_000;

/**
Where the runtime is that the driver would start: looked for in the same order as `driver/volume` does. Without a
driver: that of this command.
*/
export const findRuntime = ({
	driverPath,
	ownHome,
	variables,
}: {
	driverPath: string | undefined;
	ownHome: string;
	variables: NodeJS.ProcessEnv;
}): string | undefined => {
	const besideDriver = driverPath === undefined ? ownHome : join(dirname(followLink(driverPath)), '..');
	return [
		variables['PNX_VOLUME_HOME'] ?? '',
		besideDriver,
		driverPath === undefined ? installedHome : readRuntimeLine(driverPath),
	]
		.filter(candidate => candidate !== '' && existsSync(join(candidate, 'dist/bin/driver.js')))
		.map(candidate => resolve(candidate))[0];
};

/** What the installer has written into the driver. */
const readRuntimeLine = (driverPath: string): string =>
	/^runtime=(\/\S+)$/m.exec(readFileSync(driverPath, 'utf8'))?.[1] ?? installedHome;

const followLink = (path: string): string => (lstatSync(path).isSymbolicLink() ? realpathSync(path) : path);

/** The Node.js of a runtime: as `driver/volume` chooses it. */
export const findRuntimeNodejs = (home: string): string | undefined =>
	[join(home, 'node_modules/node/bin/node'), join(home, 'bin/node')].find(path => isExecutable(path));

export const isExecutable = (path: string): boolean => {
	try {
		accessSync(path, constants.X_OK);
		return true;
	} catch {
		return false; // It cannot be run, for whatever reason.
	}
};

const reinstall =
	'install the runtime again: unpack pnx-volume-<version>-linux-<arch>.tar.gz below /opt/pnx-volume and point /opt/pnx-volume/current at it';

/** Whether the runtime is there, its Node.js runs, and its programs are in it. */
export const checkRuntime = async (home: string | undefined, deadline: Deadline): Promise<Check> => {
	if (home === undefined) {
		return toCheck(
			'runtime',
			[
				{
					status: 'failed',
					found: `there is no ${installedHome}/dist/bin/driver.js, and PNX_VOLUME_HOME does not lead to one`,
					remedy: reinstall,
				},
			],
			'',
		);
	}

	const findings: Finding[] = [];
	const fail = (found: string): void => {
		findings.push({status: 'failed', found, remedy: reinstall});
	};

	const missing = ['dist/bin/driver.js', 'dist/bin/daemon.js', 'driver/volume', 'package.json'].filter(
		path => !existsSync(join(home, path)),
	);
	if (missing.length > 0) {
		fail(`${home} lacks ${missing.join(', ')}`);
	}

	const nodejs = findRuntimeNodejs(home);
	const version = nodejs === undefined ? undefined : await runCommand(nodejs, ['--version'], deadline.within(runMs));
	if (nodejs === undefined) {
		fail(`${home} has no Node.js in it`);
	} else if (version?.exitCode !== 0) {
		fail(`${nodejs} does not run: ${version?.message}`);
	}

	return toCheck('runtime', findings, `${home}: pnx-volume ${readVersion(home)} on Node.js ${version?.message}`);
};

const readVersion = (home: string): string => {
	try {
		return String((JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as {version?: unknown}).version);
	} catch {
		return 'of unknown version'; // Its absence is a finding of its own.
	}
};
