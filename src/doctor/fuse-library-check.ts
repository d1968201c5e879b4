import {join} from 'node:path';
import type {Deadline} from '../node/deadline.ts';
import {runCommand} from '../node/host/run-command.ts';
import {toCheck, type Check, type Finding} from './check.ts';
import {findRuntimeNodejs, isExecutable} from './runtime-checks.ts';

const loadMs = 10_000;

/**
Loads the addon, and libfuse3 with it, as a daemon would: the packaged one lies beside the bundles, that of a
checkout in its node_modules.
*/
const loadScript = `
	const {createRequire} = require('node:module');
	const {existsSync} = require('node:fs');
	const home = process.argv[1];
	const packed = home + '/dist/bin/fuse.node';
	try {
		createRequire(home + '/package.json')(existsSync(packed) ? packed : 'fuse-native');
	} catch (error) {
		console.log(error.message.split('\\n')[0]);
		process.exitCode = 1;
	}
`;

/** Whether the programs of FUSE are there: `fusermount3`, and `libfuse3` in a form that the runtime can load. */
export const checkFuseLibraries = async (home: string | undefined, deadline: Deadline): Promise<Check> => {
	const name = 'fuse-libraries';
	const nodejs = home === undefined ? undefined : findRuntimeNodejs(home);
	if (home === undefined || nodejs === undefined) {
		return {name, status: 'skipped', found: 'there is no runtime to load libfuse3 with'};
	}

	const packaged = join(home, 'bin/fusermount3');
	const program = isExecutable(packaged) ? packaged : 'fusermount3';
	// One after the other: the load of the addon is what takes long.
	const fusermount = await runCommand(program, ['--version'], deadline.within(loadMs));
	const addon = await runCommand(nodejs, ['-e', loadScript, home], deadline.within(loadMs));
	const remedy =
		program === packaged
			? 'install the runtime again'
			: 'install FUSE 3 (Debian, Alpine: fuse3), or use the packaged runtime, which brings it along';
	const findings: Finding[] = [];
	if (fusermount.exitCode !== 0) {
		findings.push({status: 'failed', found: `${program} does not run: ${fusermount.message}`, remedy});
	}

	if (addon.exitCode !== 0) {
		findings.push({status: 'failed', found: `libfuse3 cannot be loaded: ${addon.message}`, remedy});
	}

	return toCheck(name, findings, `libfuse3 loads, ${fusermount.message}`);
};
