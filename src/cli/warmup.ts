import {resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import type {WarmUpProgress} from '../filesystem/filesystem.ts';
import {formatBytes} from '../model/byte-size.ts';
import {createDeadline} from '../node/deadline.ts';
import {askToWarmUp} from '../node/launch/control-client.ts';
import type {NodeEnvironment} from '../node/node-environment.ts';
import {NodeError} from '../node/node-error.ts';
import {findVolumeAt} from '../node/volumes/find-volume.ts';
import {volumePaths} from '../node/volumes/volume-directory.ts';
import {readAllVolumeStates} from '../node/volumes/volume-state.ts';

type WarmupFlags = {dir: string; 'metadata-only': boolean};

const warmUpMsMax = 7 * 86_400_000;

/** `warmup`: the daemon reads ahead what programs will need; nobody touches the mount. */
export const warmupCommand = (environment: NodeEnvironment): CommandModule<object, WarmupFlags> => ({
	command: 'warmup <dir>',
	describe: 'Read a directory of a mounted volume into its disk cache',
	builder: yargs =>
		yargs
			.positional('dir', {
				type: 'string',
				demandOption: true,
				describe: 'A mounted directory, one below it, or the beginning of names in one',
			})
			.option('metadata-only', {
				type: 'boolean',
				default: false,
				describe: 'Ask for attributes only, and read no content',
			})
			.example('$0 warmup /mnt/files/models', 'Read every file below it, as many as cache-size has room for')
			.example('$0 warmup /mnt/files/2024-', 'What is called 2024-…')
			.example('$0 warmup /mnt/files --metadata-only', 'Ask for the attributes of every file'),
	async handler({dir, 'metadata-only': isMetadataOnly}) {
		const directory = resolve(dir);
		const found = findVolumeAt(readAllVolumeStates(environment.stateDirectory), directory);
		if (found === undefined) {
			throw new NodeError(`No volume is mounted at ${directory} or above it; "pnx-volume status" shows what is`);
		}

		const {socket} = volumePaths(environment.stateDirectory, found.state.volumeId);
		const lines = new ProgressLines();
		const outcome = await askToWarmUp(
			socket,
			{path: found.path, isMetadataOnly},
			createDeadline(warmUpMsMax),
			progress => lines.show(progress),
		);
		switch (outcome.outcome) {
			case 'done': {
				report(directory, outcome.progress, {isMetadataOnly});
				break;
			}

			case 'failed': {
				throw new NodeError(`Cannot warm up ${directory}: ${outcome.message}`);
			}

			case 'timeout':
			case 'unreachable': {
				throw new NodeError(
					`Cannot warm up ${directory}: its daemon does not answer; "pnx-volume status" says more about it`,
				);
			}
		}
	},
});

const report = (
	directory: string,
	{files, bytes, skippedFiles, failedFiles, lastFailure}: WarmUpProgress,
	{isMetadataOnly}: {isMetadataOnly: boolean},
): void => {
	const what = isMetadataOnly ? 'the attributes of ' : '';
	const size = isMetadataOnly ? '' : ` (${formatBytes(bytes)})`;
	process.stdout.write(`Warmed up ${what}${countFiles(files)}${size} at ${directory}\n`);
	if (failedFiles > 0) {
		throw new NodeError(
			`Cannot warm up ${countFiles(failedFiles)} at ${directory}: ${lastFailure ?? 'unknown reason'}`,
		);
	}

	if (skippedFiles > 0) {
		throw new NodeError(
			`Cannot warm up ${countFiles(skippedFiles)} at ${directory}: the disk cache has no room for them; raise cache-size, or make room on the disk`,
		);
	}
};

const countFiles = (count: number): string => `${count} ${count === 1 ? 'file' : 'files'}`;

/** A line each time that more is done. */
class ProgressLines {
	#shown = '';

	show({files, bytes}: WarmUpProgress): void {
		const line = `Warming up: ${countFiles(files)}${bytes > 0 ? `, ${formatBytes(bytes)}` : ''} so far\n`;
		if (files > 0 && line !== this.#shown) {
			this.#shown = line;
			process.stderr.write(line);
		}
	}
}
