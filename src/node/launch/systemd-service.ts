import {
	closeSync,
	constants,
	existsSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readFileSync,
	readlinkSync,
	rmSync,
	statSync,
} from 'node:fs';
import {Socket} from 'node:net';
import {join} from 'node:path';
import type {MemoryLimits} from './daemon-limits.ts';
import {readLineBefore, type DaemonProcess} from './daemon-process.ts';
import {createDeadline, type Deadline} from '../deadline.ts';
import {NodeError} from '../node-error.ts';
import {runCommand} from '../host/run-command.ts';
import {escapeArgument, toServiceProperties} from './systemd-properties.ts';

/**
Takes the two pipes that wait in the directory $1, removes it, says its process id, and becomes the daemon. So
nothing of what the pipes carry has a name that anybody else could open, and nothing is sent before the reader is
there.
*/
const script = 'exec 3<"$1/request" 4>"$1/ready" && rm -r "$1" && shift && echo $$ >&4 && exec "$@"';

const startMs = 10_000;
const endMs = 5000;

export const toUnitName = (volumeId: string): string => {
	if (!/^[0-9a-f]{16}$/.test(volumeId)) {
		throw new NodeError(
			`Cannot name a service after volume ${JSON.stringify(volumeId.slice(0, 40))}: a volume's id has 16 hexadecimal digits`,
		);
	}

	return `pnx-volume-${volumeId}.service`;
};

/**
Whether systemd runs this machine, and sees the same mounts and processes as we do: a kubelet in a container may see
systemd's sockets, but a mount that is made by a service would not be where its pods look.
*/
export const isSystemdHere = (): boolean => {
	try {
		return (
			existsSync('/run/systemd/system') &&
			readFileSync('/proc/1/comm', 'utf8').trim() === 'systemd' &&
			readlinkSync('/proc/1/ns/mnt') === readlinkSync('/proc/self/ns/mnt') &&
			isSameFile('/proc/1/root/', '/')
		);
	} catch {
		return false; // Not even allowed to look: then not to start services either.
	}
};

export type ServiceStart = {
	readonly command: readonly string[];
	readonly volumeId: string;
	readonly bucket: string;
	readonly volumeDirectory: string;
	readonly variables: Readonly<Record<string, string>>;
	readonly memory: MemoryLimits;
	/** Takes the pipes' directory for a moment. */
	readonly runDirectory: string;
	readonly deadline: Deadline;
};

/** Starts a daemon's command as a transient service. When this rejects, nothing of it is left. */
export const startInService = async (start: ServiceStart): Promise<DaemonProcess> => {
	const unit = toUnitName(start.volumeId);
	const {essential, hardening} = toServiceProperties(start);
	try {
		return await startWith([...essential, ...hardening], start);
	} catch (firstError) {
		// An earlier daemon's unit that is still there, or a systemd that knows fewer properties.
		await endService(unit);
		try {
			return await startWith(essential, start);
		} catch {
			await endService(unit);
			throw firstError;
		}
	}
};

/** Ends a service at once, and has systemd forget it. Success also when there is none. */
export const endService = async (unit: string): Promise<void> => {
	await runCommand('systemctl', ['kill', '--signal=SIGKILL', '--', unit], createDeadline(endMs));
	await runCommand('systemctl', ['stop', '--', unit], createDeadline(endMs));
	await runCommand('systemctl', ['reset-failed', '--', unit], createDeadline(endMs));
};

const toArguments = (
	properties: readonly string[],
	pipesDirectory: string,
	{command, volumeId, bucket, variables}: ServiceStart,
): string[] => [
	'--quiet',
	'--collect',
	`--unit=${toUnitName(volumeId)}`,
	`--description=pnx-volume: bucket ${bucket.replaceAll(/[^\w.-]/g, '_')}`,
	'--working-directory=/',
	...Object.entries(variables).map(([name, value]) => `--setenv=${name}=${value}`),
	...properties.map(property => `--property=${property}`),
	'--',
	'/bin/sh',
	'-c',
	...[script, 'sh', pipesDirectory, ...command].map(argument => escapeArgument(argument)),
];

const startWith = async (properties: readonly string[], start: ServiceStart): Promise<DaemonProcess> => {
	const {runDirectory} = start;
	const deadline = start.deadline.within(startMs);
	mkdirSync(runDirectory, {recursive: true, mode: 0o700});
	const directory = mkdtempSync(join(runDirectory, 'launch-'));
	let pipes: {requestPipe: Socket; readyPipe: Socket} | undefined;
	try {
		const made = await runCommand(
			'mkfifo',
			['-m', '0600', join(directory, 'request'), join(directory, 'ready')],
			deadline,
		);
		if (made.exitCode !== 0) {
			throw new NodeError(`Cannot make pipes for the service: ${made.message}`);
		}

		pipes = openPipes(directory);
		const ran = runCommand('systemd-run', toArguments(properties, directory, start), deadline);
		let failure = '';
		const failed = ran.then(async ({exitCode, message}) => {
			failure = message;
			// After its success the shell may still be on its way to the pipe.
			return exitCode === 0 ? new Promise(() => undefined) : undefined;
		});
		const pid = Number.parseInt(await readLineBefore(pipes.readyPipe, deadline, failed), 10);
		if (!(pid > 1)) {
			throw new NodeError(`systemd-run could not start the service: ${failure || 'its command did not run'}`);
		}

		const {requestPipe, readyPipe} = pipes;
		return {
			pid,
			readyPipe,
			// It holds both ends of the named pipe: its own must be gone for the daemon to see the request's end.
			sendRequest: text => requestPipe.on('error', () => undefined).write(text, () => requestPipe.destroy()),
			release() {
				requestPipe.destroy();
				readyPipe.destroy();
			},
		};
	} catch (error) {
		pipes?.requestPipe.destroy();
		pipes?.readyPipe.destroy();
		throw error;
	} finally {
		rmSync(directory, {recursive: true, force: true});
	}
};

/** Neither open waits for the other side. The reading end sees no end before somebody has opened the writing one. */
const openPipes = (directory: string): {requestPipe: Socket; readyPipe: Socket} => {
	const ready = openSync(join(directory, 'ready'), constants.O_RDONLY | constants.O_NONBLOCK);
	try {
		const request = openSync(join(directory, 'request'), constants.O_RDWR | constants.O_NONBLOCK);
		return {
			requestPipe: new Socket({fd: request, readable: false, writable: true}),
			readyPipe: new Socket({fd: ready, readable: true, writable: false}),
		};
	} catch (error) {
		closeSync(ready);
		throw error;
	}
};

const isSameFile = (path: string, otherPath: string): boolean => {
	const [file, other] = [statSync(path, {bigint: true}), statSync(otherPath, {bigint: true})];
	return file.dev === other.dev && file.ino === other.ino;
};
