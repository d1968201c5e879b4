#!/usr/bin/env node
/**
The command line: one file of `cli/` for each command; an error is one line on stderr. Exit codes: 0, 1 (failed), 2
(usage).
*/

import {fileURLToPath} from 'node:url';
import yargs from 'yargs';
import {hideBin} from 'yargs/helpers';
import {messageOf, toOneLine} from '../model/error-text.ts';
import {agentCommand} from '../cli/agent.ts';
import {devServerCommand} from '../cli/dev-server.ts';
import {doctorCommand} from '../cli/doctor.ts';
import {healCommand} from '../cli/heal.ts';
import {mountCommand} from '../cli/mount.ts';
import {packageVersion} from '../daemon/package-version.ts';
import {provisionCommand} from '../cli/provision.ts';
import {statusCommand} from '../cli/status.ts';
import {unmountCommand} from '../cli/unmount.ts';
import {describeUsageError, UsageError} from '../cli/usage-error.ts';
import {warmupCommand} from '../cli/warmup.ts';
import {watchCommand} from '../cli/watch.ts';
import {OptionError} from '../model/option-value.ts';
import {findHomeDirectory} from '../node/host/home-directory.ts';
import {readNodeEnvironment} from '../node/node-environment.ts';

const main = async (): Promise<void> => {
	const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
	const environment = readNodeEnvironment(process.env, fileURLToPath(new URL(`daemon.${extension}`, import.meta.url)));
	await yargs(hideBin(process.argv))
		.scriptName('pnx-volume')
		.version(packageVersion())
		.usage('$0 <command>\n\nA shared POSIX directory with a plain S3 bucket behind it.')
		.command(mountCommand(environment))
		.command(unmountCommand(environment))
		.command(statusCommand(environment))
		.command(warmupCommand(environment))
		.command(doctorCommand(environment))
		.command(healCommand(environment))
		.command(watchCommand(environment))
		.command(agentCommand(environment))
		.command(provisionCommand())
		.command(devServerCommand())
		.demandCommand(1, 'A command is missing')
		.strict()
		// Values stay as they were typed; of a repeated flag, the last one wins.
		.parserConfiguration({
			'camel-case-expansion': false,
			'duplicate-arguments-array': false,
			'parse-numbers': false,
			'parse-positional-numbers': false,
		})
		.epilogue('Credentials come from the AWS variables, profiles and roles, as with every AWS tool.')
		.wrap(Math.min(120, process.stdout.columns ?? 100))
		.exitProcess(false)
		.fail((message: string | undefined, error: unknown) => {
			// yargs' own complaints (a flag without its value) are about the usage as well.
			throw error instanceof Error && error.name !== 'YError'
				? error
				: new UsageError(describeUsageError(message ?? messageOf(error)));
		})
		.parseAsync();
};

// The reader of our output may be gone (`| head`): a mount with bytes to upload must not end for that.
for (const stream of [process.stdout, process.stderr]) {
	stream.on('error', () => undefined);
}

process.env['HOME'] ||= findHomeDirectory();
try {
	await main();
} catch (error) {
	const isUsage = error instanceof UsageError || error instanceof OptionError;
	const message = toOneLine(messageOf(error));
	process.stderr.write(`pnx-volume: ${message}${isUsage ? ' (pnx-volume --help shows how)' : ''}\n`);
	process.exitCode = isUsage ? 2 : 1;
}
