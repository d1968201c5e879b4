import {toReason} from '../../model/error-text.ts';
import {logLine} from '../call-log.ts';
import {planMemoryLimits, type MemoryLimits} from './daemon-limits.ts';
import {readLineBefore, type DaemonProcess} from './daemon-process.ts';
import type {DaemonReady, DaemonRequest} from './daemon-protocol.ts';
import {toDaemonVariables} from './daemon-variables.ts';
import {createDeadline, waitUntil, type Deadline} from '../deadline.ts';
import {toNodejsCommand} from '../host/nodejs-command.ts';
import {NodeError} from '../node-error.ts';
import type {NodeEnvironment} from '../node-environment.ts';
import {moveToOwnCgroup, removeOwnCgroup, type OwnCgroup} from './own-cgroup.ts';
import {
	canAnswer,
	isRunning,
	readProcessIdentity,
	signalProcess,
	type ProcessIdentity,
} from '../host/process-identity.ts';
import {abortConnection} from '../mounts/abort-connection.ts';
import {isMountOf, isOurMount} from '../mounts/mount-source.ts';
import {mountsAt, readMountTable} from '../mounts/mount-table.ts';
import {findRuntimeHome, type RuntimeHome} from '../host/runtime-home.ts';
import {startInSession} from './session-daemon.ts';
import {isSystemdHere, startInService, toUnitName} from './systemd-service.ts';
import type {DaemonLaunch} from './daemon-launch.ts';

/** How long the kernel may take to end a killed process. */
const exitMs = 2000;
const abortMs = 5000;
/** A timer may be so early: it counts from when the event loop last looked at the clock. */
const earlyMs = 100;
/** How often to see whether a daemon that is not ready yet was killed. */
const deathIntervalMs = 200;

export type LaunchSettings = {
	readonly deadline: Deadline;
	/** Gets the daemon's identity, and how it was launched, before it is ready, to be written down. */
	readonly onStarted: (identity: ProcessIdentity, launch: DaemonLaunch) => void;
	readonly isEachOperationLogged?: boolean;
	/** What the daemon's environment is taken from; by default our own. */
	readonly starterVariables?: NodeJS.ProcessEnv | undefined;
};

/** The daemon said itself why it cannot serve the volume. */
class DaemonFailure extends NodeError {}

/**
Starts a volume's daemon and waits until its file system is mounted. The daemon is a service of systemd, or has a
cgroup of its own, or at least a session of its own; no descriptor of ours but the two pipes of the protocol, and no
core file (it would hold credentials). When this rejects, the daemon is dead.
*/
export const launchDaemon = async (
	request: DaemonRequest,
	environment: NodeEnvironment,
	settings: LaunchSettings,
): Promise<ProcessIdentity> => {
	const {start: variables, piped} = toDaemonVariables(settings.starterVariables ?? process.env, {
		hasCredentials: request.credentials !== undefined,
		stateDirectory: environment.stateDirectory,
	});
	const {daemon, launch} = await startDaemonProcess(request, environment, {...settings, variables});
	let identity: ProcessIdentity | undefined;
	try {
		identity = readProcessIdentity(daemon.pid);
		if (identity === undefined) {
			throw new NodeError(
				`The volume's daemon could not be started with ${toNodejsCommand(process.execPath)}; see ${whereLogIs(launch, environment)}`,
			);
		}

		settings.onStarted(identity, launch);
		daemon.sendRequest(JSON.stringify({...request, variables: piped} satisfies DaemonRequest));
		await waitUntilReady(daemon, identity, settings.deadline, whereLogIs(launch, environment));
		return identity;
	} catch (error) {
		if (identity !== undefined) {
			// Having said why it fails, it cleans up and ends by itself.
			const started = identity;
			await waitUntil(() => !isRunning(started), createDeadline(error instanceof DaemonFailure ? exitMs : 0));
			await endDaemon(started, request);
		}

		await removeOwnCgroup(request.volumeId);
		throw error;
	} finally {
		daemon.release();
	}
};

/** Where to read what a daemon says. */
export const whereLogIs = (launch: DaemonLaunch | undefined, {logPath}: NodeEnvironment): string =>
	launch?.unit === undefined ? logPath : `journalctl -u ${launch.unit}`;

/**
Kills a daemon, with the helpers in its session, and waits until it is gone. If it stays, one of its threads may wait
for its own mount: then its connection is aborted, and the answer says so. It may stay even then, waiting for a disk.
*/
export const endDaemon = async (
	identity: ProcessIdentity,
	{volumeId, mountPoint}: {readonly volumeId: string; readonly mountPoint: string},
): Promise<{isAborted: boolean}> => {
	if (!signalProcess(identity, 'SIGKILL')) {
		return {isAborted: false};
	}

	try {
		process.kill(-identity.pid, 'SIGKILL');
	} catch {
		// It led no process group, or nobody was left in it.
	}

	if (await waitUntil(() => !isRunning(identity), createDeadline(exitMs))) {
		return {isAborted: false};
	}

	const mount = mountsAt(readMountTable(), mountPoint).at(-1);
	const isAborted =
		mount !== undefined &&
		isOurMount(mount) &&
		isMountOf(mount, volumeId) &&
		(await abortConnection(mount, createDeadline(abortMs)));
	await waitUntil(() => !isRunning(identity), createDeadline(isAborted ? exitMs : 0));
	return {isAborted};
};

type StartedDaemon = {readonly daemon: DaemonProcess; readonly launch: DaemonLaunch};

/** What every way to start a daemon needs. */
type StartPlan = {
	readonly command: readonly string[];
	readonly variables: Readonly<Record<string, string>>;
	readonly memory: MemoryLimits;
	readonly runtime: RuntimeHome;
	/** Writes down what this node could not do. */
	readonly warn: (msg: string, reason: string) => void;
};

/**
Tries one way after the other: what the first cannot do on this node must not keep the volume from being mounted.
*/
const startDaemonProcess = async (
	request: DaemonRequest,
	environment: NodeEnvironment,
	{variables, deadline, isEachOperationLogged = false}: LaunchSettings & Pick<StartPlan, 'variables'>,
): Promise<StartedDaemon> => {
	const {volumeId, options} = request;
	const command = [
		toNodejsCommand(process.execPath),
		'--disable-warning=ExperimentalWarning',
		environment.daemonPath,
		volumeId,
		...(isEachOperationLogged ? ['--debug'] : []),
	];
	const plan: StartPlan = {
		command,
		variables,
		memory: planMemoryLimits(options),
		runtime: findRuntimeHome(environment.daemonPath),
		warn(msg, reason) {
			logLine(environment.logPath, 'warn', {volume: volumeId, bucket: options['name'], err: {message: reason}, msg});
		},
	};
	if (environment.launchWay === 'systemd' && isSystemdHere()) {
		try {
			return await startAsService(request, environment, plan, deadline);
		} catch (error) {
			plan.warn(
				'the daemon could not be started as a service of systemd, and gets a cgroup of its own instead',
				toReason(error),
			);
		}
	}

	return startWithoutService(request, environment, plan);
};

const startAsService = async (
	{volumeId, options, volumeDirectory}: DaemonRequest,
	{runDirectory}: NodeEnvironment,
	{command, variables, memory, runtime}: StartPlan,
	deadline: Deadline,
): Promise<StartedDaemon> => {
	const bucket = options['name'] ?? '';
	const daemon = await startInService({
		command,
		volumeId,
		bucket,
		volumeDirectory,
		variables,
		memory,
		runDirectory,
		deadline,
	});
	return {daemon, launch: {way: 'systemd', unit: toUnitName(volumeId), ...runtime}};
};

/** In a session, and unless the node's settings say otherwise in a cgroup of its own. */
const startWithoutService = async (
	{volumeId}: DaemonRequest,
	{launchWay, logPath}: NodeEnvironment,
	{command, variables, memory, runtime, warn}: StartPlan,
): Promise<StartedDaemon> => {
	const daemon = await startInSession(command, {variables, logPath});
	if (daemon === undefined) {
		throw new NodeError("The volume's daemon could not be started: there is no /bin/sh");
	}

	if (launchWay === 'session') {
		return {daemon, launch: {way: 'session', ...runtime}};
	}

	const {isOwn, failures} = tryToMove(daemon.pid, volumeId, memory);
	if (failures.length > 0) {
		warn(
			isOwn
				? 'the daemon keeps limits of the process that started it'
				: 'the daemon has no cgroup of its own: it may end with the service that it was started from',
			failures.join('; '),
		);
	}

	return {daemon, launch: {way: isOwn ? 'cgroup' : 'session', ...runtime}};
};

const tryToMove = (pid: number, volumeId: string, memory: MemoryLimits): OwnCgroup => {
	try {
		return moveToOwnCgroup(pid, volumeId, memory);
	} catch (error) {
		return {isOwn: false, failures: [toReason(error)]}; // It has ended already, or there is no /proc/<pid>/cgroup.
	}
};

const waitUntilReady = async (
	{readyPipe}: DaemonProcess,
	identity: ProcessIdentity,
	deadline: Deadline,
	where: string,
): Promise<void> => {
	const ready = parseReady(await readLineUntilDeath(readyPipe, identity, deadline));
	if (ready?.status === 'failed') {
		throw new DaemonFailure(ready.message);
	}

	if (ready === undefined) {
		throw new NodeError(
			deadline.remainingMs() < earlyMs
				? `The volume did not become ready in time; is S3 reachable from this node? See ${where}`
				: `The volume's daemon ended before it was ready; see ${where}`,
		);
	}
};

/** A process that was killed and waits in the kernel keeps its end of the pipe open. */
const readLineUntilDeath = async (
	readyPipe: DaemonProcess['readyPipe'],
	identity: ProcessIdentity,
	deadline: Deadline,
): Promise<string> => {
	const gone = Promise.withResolvers<void>();
	let silentCount = 0;
	const timer = setInterval(() => {
		// Twice: what it wrote last is read in between.
		silentCount = canAnswer(identity) ? 0 : silentCount + 1;
		if (silentCount === 2) {
			gone.resolve();
		}
	}, deathIntervalMs);
	try {
		return await readLineBefore(readyPipe, deadline, gone.promise);
	} finally {
		clearInterval(timer);
	}
};

const parseReady = (line: string): DaemonReady | undefined => {
	try {
		const parsed: unknown = JSON.parse(line);
		if (typeof parsed === 'object' && parsed !== null && 'status' in parsed) {
			if (parsed.status === 'ready') {
				return parsed as DaemonReady;
			}

			if (parsed.status === 'failed' && 'message' in parsed && typeof parsed.message === 'string') {
				return {status: 'failed', message: parsed.message};
			}
		}
	} catch {
		// Cut short, or no JSON: it died while it wrote.
	}

	return undefined;
};
