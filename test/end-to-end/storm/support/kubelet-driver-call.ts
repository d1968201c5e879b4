import {spawn} from 'node:child_process';
import {readFileSync} from 'node:fs';

/** A driver that runs, to be killed in the middle of it. */
export type RunningCall = {
	readonly argv: readonly string[];
	readonly pid: number;
	/**
	`group`: all of it. `shell`: the launcher alone, whose child goes on. `node`: the child alone, so that the
	launcher answers for it.
	*/
	readonly kill: (whom: 'group' | 'shell' | 'node') => void;
};

type CallSettings = {
	readonly driverPath: string;
	readonly argv: readonly string[];
	readonly variables: Readonly<Record<string, string>>;
	/** The kubelet's cgroup in the unified hierarchy: what a driver is born in. */
	readonly cgroup?: string | undefined;
	readonly onStarted?: (call: RunningCall) => void;
};

/** The environment of a kubelet under systemd: a minimal PATH, no HOME, nothing of AWS. */
const kubeletPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
Executes the driver as the kubelet does: stdin at /dev/null, stdout and stderr one pipe, and waits until the last
holder of that pipe has let go of it. Resolves for a success only; everything else rejects with the words of the
kubelet's event.
*/
export const callDriver = async ({driverPath, argv, variables, cgroup, onStarted}: CallSettings): Promise<void> => {
	const {promise, resolve, reject} = Promise.withResolvers<{
		output: string;
		exitCode: number | null;
		signal: string | null;
	}>();
	const script = cgroup === undefined ? 'exec "$@" 2>&1' : 'echo $$ >"$0/cgroup.procs"; exec "$@" 2>&1';
	const child = spawn('/bin/sh', ['-c', script, cgroup ?? 'sh', driverPath, ...argv], {
		cwd: '/',
		detached: true,
		env: {PATH: kubeletPath, ...variables},
		stdio: ['ignore', 'pipe', 'ignore'],
	});
	let output = '';
	child.stdout.setEncoding('utf8').on('data', (text: string) => {
		output += text;
	});
	child.on('error', reject);
	child.on('close', (exitCode, signal) => resolve({output, exitCode, signal}));
	if (child.pid !== undefined) {
		const {pid} = child;
		onStarted?.({argv, pid, kill: whom => killCall(pid, whom)});
	}

	const {exitCode, signal} = await promise;
	judge(
		argv[0] ?? '',
		output,
		exitCode === 0 ? undefined : signal === null ? `exit status ${exitCode}` : `signal: ${signal}`,
	);
};

/** The outcome table of the kubelet's driver-call.go. */
const judge = (command: string, output: string, exitError: string | undefined): void => {
	const reply = parseReply(output);
	if (reply === undefined) {
		throw new Error(
			output === ''
				? 'unexpected end of JSON input'
				: `Failed to unmarshal output for command: ${command}, output: ${JSON.stringify(output)}`,
		);
	}

	if (reply.status !== 'Success') {
		throw new Error(`${command} command failed, status: ${reply.status ?? ''}, reason: ${reply.message ?? ''}`);
	}

	if (exitError !== undefined) {
		throw new Error(`driver bug: ${command} answered Success: ${exitError}`);
	}
};

const parseReply = (output: string): {status?: string; message?: string} | undefined => {
	try {
		const parsed: unknown = JSON.parse(output);
		return typeof parsed === 'object' && parsed !== null ? parsed : undefined;
	} catch {
		return undefined; // Something else than one JSON value: what the caller says then.
	}
};

const killCall = (pid: number, whom: 'group' | 'shell' | 'node'): void => {
	const targets = whom === 'group' ? [-pid] : whom === 'shell' ? [pid] : childrenOf(pid);
	for (const target of targets) {
		try {
			process.kill(target, 'SIGKILL');
		} catch {
			// It has ended already.
		}
	}
};

const childrenOf = (pid: number): number[] => {
	try {
		return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
			.split(' ')
			.filter(text => text.trim() !== '')
			.map(Number);
	} catch {
		return []; // It has ended already.
	}
};
