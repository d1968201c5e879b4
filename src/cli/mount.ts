import {resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import type {VolumeOptions} from '../model/volume-options.ts';
import {forgetForegroundMount, mountInBackground, mountInForeground} from '../node/calls/directory-mount.ts';
import type {NodeEnvironment} from '../node/node-environment.ts';
import {addFlags, parseVolumeFlags} from './option-flags.ts';
import type {RunningMount} from '../daemon/run-mount.ts';
import {describeJournal, ProgressLines} from './unmount.ts';

type MountFlags = {bucket: string; dir: string; background: boolean; debug: boolean; 'log-level'?: string};

/** `mount`: a volume at a directory, by hand. */
export const mountCommand = (environment: NodeEnvironment): CommandModule<object, MountFlags> => ({
	command: 'mount <bucket> <dir>',
	describe: 'Mount a bucket at an empty directory, until Ctrl-C',
	builder: yargs =>
		addFlags(yargs)
			.positional('bucket', {
				type: 'string',
				demandOption: true,
				describe: 'The bucket; created when it does not exist',
			})
			.positional('dir', {type: 'string', demandOption: true, describe: 'An empty directory'})
			.option('background', {
				type: 'boolean',
				default: false,
				describe: 'Return when the directory is usable; "unmount" ends it',
			})
			.option('debug', {type: 'boolean', default: false, describe: 'Show each operation with its time'})
			.example('$0 mount my-files /mnt/files', 'With the credentials of this shell, at AWS')
			.example('$0 mount my-files /mnt/files --prefix 2024/ --read-only', 'Only the keys below a prefix, read-only')
			.example('$0 mount my-files /mnt/files --endpoint https://minio.example --path-style', 'Another provider'),
	async handler({bucket, dir, background, debug, ...flags}) {
		const volume = {options: parseVolumeFlags(bucket, flags), directory: resolve(dir)};
		if (background) {
			const {path} = await mountInBackground({...volume, isEachOperationLogged: debug}, environment);
			process.stdout.write(`Mounted ${bucket} at ${path}; end it with: pnx-volume unmount ${path}\n`);
		} else {
			// Without --log-level, the log shows warnings and errors only.
			const level = flags['log-level'] === undefined ? 'warn' : volume.options.logLevel;
			await mountUntilInterrupted(volume, environment, {level: debug ? 'debug' : level, isEachOperationLogged: debug});
		}
	},
});

/**
Serves the volume in this process. Resolves after the first Ctrl-C, SIGTERM, `unmount` or umount(8), when everything
has been uploaded.
*/
const mountUntilInterrupted = async (
	volume: {options: VolumeOptions; directory: string},
	environment: NodeEnvironment,
	{level, isEachOperationLogged}: {level: VolumeOptions['logLevel']; isEachOperationLogged: boolean},
): Promise<void> => {
	// Loaded here: the other commands start without the S3 client and libfuse.
	const [{createForegroundLog}, {runMount}] = await Promise.all([
		import('./foreground-log.ts'),
		import('../daemon/run-mount.ts'),
	]);
	const log = createForegroundLog(level);
	let running: RunningMount | undefined;
	// From the start: the default would leave a mount behind that was just being made.
	const stopWhenTold = listenForSignals(() => running, environment.drainTimeoutMs);
	const mounted = await mountInForeground(volume, environment, async request => {
		running = await runMount(request, {log, isEachOperationLogged});
	});
	if (running === undefined) {
		throw new Error('The mount was started without its volume');
	}

	process.stdout.write(`Mounted ${volume.options.name} at ${mounted.path}; Ctrl-C unmounts it\n`);
	stopWhenTold();
	await running.stopped;
	const {journal} = await forgetForegroundMount(mounted, environment);
	process.stdout.write(`Unmounted ${mounted.path}\n`);
	if (journal !== undefined) {
		process.stdout.write(`${describeJournal(journal)}\n`);
	}
};

/**
The first signal uploads and unmounts, the second gives up on uploads. To be called again once the mount is there,
for a signal that came before.
*/
const listenForSignals = (findRunning: () => RunningMount | undefined, timeoutMs: number): (() => void) => {
	let signalCount = 0;
	const progress = new ProgressLines();
	const stopWhenTold = (): void => {
		if (signalCount > 0) {
			// Its failure is that of `stopped`, which is waited for.
			findRunning()
				?.stop({timeoutMs: signalCount === 1 ? timeoutMs : 1, onProgress: left => progress.show(left)})
				.catch(() => undefined);
		}
	};

	for (const signal of ['SIGINT', 'SIGTERM'] as const) {
		process.on(signal, () => {
			signalCount++;
			process.stderr.write(
				signalCount === 1
					? 'Uploading what is left, then unmounting (Ctrl-C again: leave it in the journal) ...\n'
					: 'Leaving the rest in the journal ...\n',
			);
			stopWhenTold();
		});
	}

	return stopWhenTold;
};
