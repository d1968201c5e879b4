import {execFile, spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {promisify} from 'node:util';
import type {ExecutionContext} from 'ava';
import type {StormNode} from './storm-node.ts';

const run = promisify(execFile);
const programPath = join(import.meta.dirname, '..', '..', '..', '..', 'dist', 'bin', 'pnx-volume.js');
const lineCountShown = 40;

type StormAgent = {
	/** Kills the agent, and starts it again at once, as the kubelet does. */
	readonly killAgent: () => boolean;
	/** Kills the watch that it has started on the node. */
	readonly killWatch: () => boolean;
	/** What it says, the newest last; of all lives. */
	readonly lines: readonly string[];
	/** As the DaemonSet's pod ends. */
	readonly stop: () => Promise<number | null>;
	/** `agent --uninstall`, which rejects while somebody uses the node's volumes; what it says. */
	readonly uninstall: () => Promise<string>;
};

/** `pnx-volume agent` for a storm's node, with everything it installs below the node's directory. */
export const startStormAgent = (t: ExecutionContext, node: StormNode, source: string): StormAgent => {
	const args = [
		programPath,
		'agent',
		'--plugin-directory',
		join(node.root, 'exec'),
		'--runtime-directory',
		join(node.root, 'opt', 'pnx-volume'),
		'--service-account-directory',
		join(node.root, 'none'),
	];
	const env = {PATH: process.env['PATH'], ...node.variables};
	const lines: string[] = [];
	let agent: ChildProcess;
	const start = (): void => {
		agent = spawn(process.execPath, [...args, '--source', source], {env, stdio: ['ignore', 'pipe', 'pipe']});
		for (const stream of [agent.stdout, agent.stderr]) {
			stream?.setEncoding('utf8').on('data', (text: string) => lines.push(...text.trimEnd().split('\n')));
		}
	};

	start();
	t.teardown(async () => {
		await stop('SIGKILL');
		if (!t.passed) {
			console.error(lines.slice(-lineCountShown).join('\n'));
		}
	});
	const stop = async (signal: NodeJS.Signals): Promise<number | null> => {
		if (agent.exitCode === null && agent.signalCode === null) {
			const exited = once(agent, 'exit');
			agent.kill(signal);
			await exited;
		}

		return agent.exitCode;
	};

	return {
		lines,
		stop: async () => stop('SIGTERM'),
		killAgent() {
			agent.kill('SIGKILL');
			start();
			return true;
		},
		killWatch() {
			const [watch] = childrenOf(agent.pid!); // It has started.
			return watch !== undefined && kill(watch);
		},
		async uninstall() {
			const {stdout} = await run(process.execPath, [...args, '--uninstall'], {env});
			return stdout;
		},
	};
};

const childrenOf = (pid: number): number[] => {
	try {
		return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
			.split(' ')
			.filter(text => text.trim() !== '')
			.map(Number);
	} catch {
		return []; // It has ended.
	}
};

const kill = (pid: number): boolean => {
	try {
		return process.kill(pid, 'SIGKILL');
	} catch {
		return false; // It has ended.
	}
};
