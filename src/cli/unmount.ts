import {resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {formatBytes} from '../model/byte-size.ts';
import {optionTable} from '../model/option-table.ts';
import {OptionError, parseOptionValue} from '../model/option-value.ts';
import type {Progress} from '../node/launch/control-client.ts';
import type {NodeEnvironment} from '../node/node-environment.ts';
import {NodeError} from '../node/node-error.ts';
import {unmountVolume} from '../node/calls/unmount-volume.ts';

type UnmountFlags = {dir: string; timeout: string; force: boolean};

/** `unmount`: for a directory that was mounted by hand, and for a pod's. */
export const unmountCommand = (environment: NodeEnvironment): CommandModule<object, UnmountFlags> => ({
	command: 'unmount <dir>',
	describe: 'Upload what is dirty and unmount',
	builder: yargs =>
		yargs
			.positional('dir', {type: 'string', demandOption: true, describe: 'The directory that a volume is mounted at'})
			.option('timeout', {
				type: 'string',
				requiresArg: true,
				default: `${environment.drainTimeoutMs / 1000}s`,
				describe: 'How long to wait for uploads (ms, s, m, h); then the command fails, and the volume stays mounted',
			})
			.option('force', {
				type: 'boolean',
				default: false,
				describe: 'Unmount although uploads are unfinished; they stay in the journal on this node',
			})
			.example('$0 unmount /mnt/files', 'Wait for uploads, show what is left, unmount')
			.example('$0 unmount /mnt/files --timeout 10s --force', 'Give up on uploads after ten seconds'),
	async handler({dir, timeout, force}) {
		const directory = resolve(dir);
		const progress = new ProgressLines();
		const {wasMounted, journal} = await unmountVolume(
			directory,
			{...environment, drainTimeoutMs: parseTimeoutMs(timeout)},
			{force, onProgress: left => progress.show(left)},
		);
		if (!wasMounted && journal === undefined) {
			throw new NodeError(`Nothing is mounted at ${directory}; "pnx-volume status" shows what is`);
		}

		process.stdout.write(`Unmounted ${directory}\n`);
		if (journal !== undefined) {
			process.stdout.write(`${describeJournal(journal)}\n`);
		}
	},
});

/** What to tell about bytes that S3 lacks. */
export const describeJournal = (directory: string): string =>
	`Not everything is in S3: ${directory} keeps the rest. The next mount of this volume on this node uploads it, except for what is in "failed" there, which S3 refused`;

/** A line each time that less is left to upload. */
export class ProgressLines {
	#shown = '';

	show({dirtyBytes, uploadsPending}: Progress): void {
		const line = `Uploading: ${formatBytes(dirtyBytes)} in ${uploadsPending} ${uploadsPending === 1 ? 'file' : 'files'} left\n`;
		if (dirtyBytes > 0 && line !== this.#shown) {
			this.#shown = line;
			process.stderr.write(line);
		}
	}
}

/** Read as the option of the same name and unit is. */
const parseTimeoutMs = (value: string): number => {
	const definition = optionTable.find(({name}) => name === 'timeout');
	if (definition?.kind !== 'duration') {
		throw new OptionError('Option "timeout" is not a duration any more');
	}

	return Number(parseOptionValue({...definition, minMs: 1, maxMs: 86_400_000}, value));
};
