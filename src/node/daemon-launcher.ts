import {spawn, type ChildProcess} from 'node:child_process';
import {closeSync, openSync} from 'node:fs';
import type {Readable, Writable} from 'node:stream';
import type {DaemonReady, DaemonRequest} from './daemon-protocol.ts';
import {createDeadline, waitUntil, type Deadline} from './deadline.ts';
import {toNodeCommand} from './node-command.ts';
import {NodeError} from './node-error.ts';
import type {NodeEnvironment} from './node-environment.ts';
import {moveToOwnCgroup, removeOwnCgroup} from './own-cgroup.ts';
import {isRunning, readProcessIdentity, signalProcess, type ProcessIdentity} from './process-identity.ts';
import {systemPath} from './run-command.ts';

/**
What a daemon may see of our environment: where it finds files, proxies and AWS settings. With credentials of its
own (over the pipe) it gets none of ours.
*/
const environmentPattern = /^(?:HOME|LANG|LC_\w+|TZ|AWS_\w+|PNX_VOLUME_\w+|NODE_EXTRA_CA_CERTS|SSL_CERT_(?:FILE|DIR)|(?:https?|no|all)_proxy|(?:HTTPS?|NO|ALL)_PROXY)$/;
const credentialPattern = /^AWS_(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|PROFILE)$/;

/** How long the kernel may take to end a killed process. */
const exitMs = 2000;

export type LaunchSettings = {
	readonly deadline: Deadline;
	/** Gets the daemon's identity before it is ready, to be written down. */
	readonly onStarted: (identity: ProcessIdentity) => void;
	readonly isEachOperationLogged?: boolean;
};

/** The daemon said itself why it cannot serve the volume. */
class DaemonFailure extends NodeError {}

/**
Starts a volume's daemon and waits until its file system is mounted. The daemon gets a session of its own, the log as
stdout and stderr, a cgroup of its own, no descriptor of ours but the two pipes of the protocol, and no core file (it would hold credentials). When this rejects, the daemon is dead.
*/
export const launchDaemon = async (
	request: DaemonRequest,
	environment: NodeEnvironment,
	{deadline, onStarted, isEachOperationLogged = false}: LaunchSettings,
): Promise<ProcessIdentity> => {
	const child = spawnDaemon(request, environment, {isEachOperationLogged});
	let identity: ProcessIdentity | undefined;
	try {
		identity = child.pid === undefined ? undefined : readProcessIdentity(child.pid);
		if (identity === undefined) {
			throw new NodeError(`The volume's daemon could not be started with ${toNodeCommand(process.execPath)}; see ${environment.logPath}`);
		}

		for (const failure of moveToOwnCgroup(identity.pid, request.volumeId)) {
			process.stderr.write(`${failure}\n`);
		}

		onStarted(identity);
		await talkToDaemon(child, request, environment, deadline);
		return identity;
	} catch (error) {
		if (identity !== undefined) {
			// Having said why it fails, it cleans up and ends by itself.
			const started = identity;
			await waitUntil(() => !isRunning(started), createDeadline(error instanceof DaemonFailure ? exitMs : 0));
			await endDaemon(started);
			removeOwnCgroup(request.volumeId);
		}

		throw error;
	} finally {
		release(child);
	}
};

/** Kills a daemon, with the helpers in its session, and waits until it is gone. */
export const endDaemon = async (identity: ProcessIdentity): Promise<void> => {
	if (signalProcess(identity, 'SIGKILL')) {
		try {
			process.kill(-identity.pid, 'SIGKILL');
		} catch {
			// It led no process group, or nobody was left in it.
		}

		await waitUntil(() => !isRunning(identity), createDeadline(exitMs));
	}
};

const spawnDaemon = (request: DaemonRequest, environment: NodeEnvironment, {isEachOperationLogged}: {isEachOperationLogged: boolean}): ChildProcess => {
	const log = openLog(environment.logPath);
	try {
		// The shell is there for its ulimit, and replaces itself.
		const command = [toNodeCommand(process.execPath), '--disable-warning=ExperimentalWarning', environment.daemonPath, request.volumeId, ...(isEachOperationLogged ? ['--debug'] : [])];
		return spawn('/bin/sh', ['-c', 'ulimit -c 0; exec "$@"', 'sh', ...command], {
			cwd: '/',
			detached: true,
			env: daemonVariables(request, environment),
			stdio: ['ignore', log ?? 'ignore', log ?? 'ignore', 'pipe', 'pipe'],
		});
	} finally {
		if (log !== undefined) {
			closeSync(log);
		}
	}
};

const daemonVariables = (request: DaemonRequest, environment: NodeEnvironment): Record<string, string> => {
	const variables: Record<string, string> = {
		PATH: systemPath,
		// Compiled code is kept from one start to the next: it halves the time that the S3 client takes to load.
		NODE_COMPILE_CACHE: `${environment.stateDirectory}/compile-cache`,
	};
	for (const [name, value] of Object.entries(process.env)) {
		if (value !== undefined && environmentPattern.test(name) && !(request.credentials !== undefined && credentialPattern.test(name))) {
			variables[name] = value;
		}
	}

	return variables;
};

/** A log that cannot be written to (full disk, read-only /var) must not keep a volume from being mounted. */
const openLog = (path: string): number | undefined => {
	try {
		return openSync(path, 'a', 0o600);
	} catch {
		return undefined;
	}
};

const talkToDaemon = async (child: ChildProcess, request: DaemonRequest, environment: NodeEnvironment, deadline: Deadline): Promise<void> => {
	const requestPipe = child.stdio[3] as Writable;
	const readyPipe = child.stdio[4] as Readable;
	// It may end before it has read anything; its exit tells us.
	requestPipe.on('error', () => undefined);
	requestPipe.end(JSON.stringify(request));
	const ready = parseReady(await readBefore(readyPipe, child, deadline));
	if (ready?.status === 'failed') {
		throw new DaemonFailure(ready.message);
	}

	if (ready === undefined) {
		throw new NodeError(deadline.remainingMs() === 0
			? `The volume did not become ready in time; is S3 reachable from this node? See ${environment.logPath}`
			: `The volume's daemon ended before it was ready; see ${environment.logPath}`);
	}
};

/** What the daemon wrote on its ready pipe until the line's end, the pipe's end or the deadline. */
const readBefore = async (pipe: Readable, child: ChildProcess, deadline: Deadline): Promise<string> => {
	const {promise, resolve} = Promise.withResolvers<string>();
	let received = '';
	pipe.setEncoding('utf8').on('data', (chunk: string) => {
		received += chunk;
		if (received.includes('\n')) {
			resolve(received);
		}
	});
	pipe.on('error', () => resolve(received));
	pipe.on('end', () => resolve(received));
	child.on('error', () => resolve(received));
	const timer = setTimeout(() => resolve(received), deadline.remainingMs());
	try {
		return await promise;
	} finally {
		clearTimeout(timer);
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

/** Lets our process end while the daemon lives on. */
const release = (child: ChildProcess): void => {
	child.unref();
	for (const stream of [child.stdio[3], child.stdio[4]]) {
		stream?.destroy();
	}
};
