import {
	copyFileSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmdirSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import {readMountTable} from '../../../../src/node/mounts/mount-table.ts';
import {isRunning, type ProcessIdentity} from '../../../../src/node/host/process-identity.ts';
import {listVolumeIds} from '../../../../src/node/volumes/volume-directory.ts';
import {readAllVolumeStates} from '../../../../src/node/volumes/volume-state.ts';
import {cleanUpNode, driverPath as launcherPath, permissivePolicy} from '../../../support/driver.ts';
import {startKubelet, type KubeletStandIn} from './kubelet-stand-in.ts';
import {startPodPrograms, type PodPrograms} from './pod-programs.ts';

export type StormNode = {
	readonly root: string;
	readonly stateDirectory: string;
	readonly runDirectory: string;
	readonly variables: Readonly<Record<string, string>>;
	readonly kubelet: KubeletStandIn;
	/** The launcher, where the kubelet finds it. */
	readonly driverPath: string;
	readonly programs: PodPrograms;
	readonly daemons: () => ProcessIdentity[];
	/** Mounts, processes, files, sockets, cgroups and directories of pods that are there now. */
	readonly leftOvers: () => string[];
	/** Rejects with what is left when something is still left then. */
	readonly whenClean: (timeoutMs: number) => Promise<void>;
};

type StormNodeSettings = {
	readonly variables?: Readonly<Record<string, string>>;
	readonly backOffFactor?: number;
	/** The launcher and its runtime are put there by the test, not taken from this checkout. */
	readonly isInstalledLater?: boolean;
	/** As on a real node, where dead daemons are started again with the credentials that are kept there. */
	readonly isRunDirectoryInMemory?: boolean;
	/** Makes what has to be there before the kubelet starts. */
	readonly prepare?: (root: string) => void;
};

/** The runtime that is tested, unless PNX_VOLUME_HOME names another one. */
const checkoutPath = fileURLToPath(new URL('../../../..', import.meta.url));

/**
What may stay in the state directory of a node without volumes: empty directories (in the run directory `launch` and
`renew`), and the code that daemons keep compiled.
*/
const keptEntries = new Set(['volumes', 'locks', 'compile-cache']);

/**
A node of its own below a temporary directory: kubelet, driver, daemons, and a cgroup for the kubelet where this
machine allows it. After the test every process of it has ended, and every mount and file is gone.
*/
export const createStormNode = (
	t: ExecutionContext,
	{
		variables: more = {},
		backOffFactor = 0.1,
		isInstalledLater = false,
		isRunDirectoryInMemory = false,
		prepare,
	}: StormNodeSettings = {},
): StormNode => {
	const root = mkdtempSync(join(tmpdir(), 'pnx-storm-'));
	const stateDirectory = join(root, 'state');
	const kubeletDirectory = join(root, 'kubelet');
	const runDirectory = isRunDirectoryInMemory
		? mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : '/run', 'pnx-run-'))
		: join(root, 'run');
	const logPath = join(root, 'driver.log');
	const driverPath = join(root, 'exec', 'pnx~volume', 'volume');
	const policyPath = join(root, 'policy.json');
	mkdirSync(kubeletDirectory);
	writeFileSync(policyPath, JSON.stringify(permissivePolicy), {mode: 0o600});
	if (!isInstalledLater) {
		mkdirSync(dirname(driverPath), {recursive: true});
		copyFileSync(launcherPath, driverPath);
	}

	const variables = {
		PNX_VOLUME_STATE_DIR: stateDirectory,
		PNX_VOLUME_LOG: logPath,
		PNX_VOLUME_RUN_DIR: runDirectory,
		PNX_VOLUME_IDLE_MS: '0',
		// A machine that is busy with other things makes no call fail.
		PNX_VOLUME_MOUNT_TIMEOUT_MS: '600000',
		PNX_VOLUME_POLICY: policyPath,
		...(isInstalledLater ? {} : {PNX_VOLUME_HOME: process.env['PNX_VOLUME_HOME'] ?? checkoutPath}),
		...more,
	};
	const seenVolumeIds = new Set<string>();
	const cgroup = makeCgroup();
	t.teardown(() => {
		rmSync(root, {recursive: true, force: true});
		rmSync(runDirectory, {recursive: true, force: true});
		if (cgroup !== undefined) {
			rmdirSync(cgroup);
		}
	});
	const programs = startPodPrograms(t);
	prepare?.(root);
	const kubelet = startKubelet({rootDirectory: kubeletDirectory, driverPath, variables, cgroup, backOffFactor});
	t.teardown(async () => {
		kubelet.runningCalls().forEach(call => call.kill('group'));
		await kubelet.stop();
		killProcesses(root);
		programs.kill();
		await cleanUpNode(stateDirectory, root);
		if (!t.passed) {
			console.error([...kubelet.events.slice(-20), ...lastLines(logPath)].join('\n'));
		}
	});

	const look = (): void => listVolumeIds(stateDirectory).forEach(volumeId => seenVolumeIds.add(volumeId));
	const leftOvers = (): string[] => {
		look();
		return [
			...readMountTable()
				.filter(({path, type}) => path.startsWith(`${root}/`) && path !== stateDirectory && type !== 'cgroup2')
				.map(({path}) => `mount ${path}`),
			...processesOf(root).map(pid => `process ${pid} ${commandOf(pid)}`),
			...filesOf(stateDirectory)
				.filter(
					path =>
						!keptEntries.has(path.split('/')[0] ?? '') || (path.includes('/') && !path.startsWith('compile-cache/')),
				)
				.map(path => `state directory: ${path}`),
			...filesOf(runDirectory)
				.filter(path => path !== 'launch' && path !== 'renew')
				.map(path => `run directory: ${path}`),
			...filesOf(join(kubeletDirectory, 'pods')).map(path => `kubelet: ${path}`),
			...readFileSync('/proc/net/unix', 'utf8')
				.split('\n')
				.filter(line => line.includes(root))
				.map(line => `socket ${line}`),
			...cgroupsOf(seenVolumeIds).map(path => `cgroup ${path}`),
		];
	};

	return {
		root,
		stateDirectory,
		runDirectory,
		variables,
		kubelet,
		driverPath,
		programs,
		leftOvers,
		daemons() {
			look();
			return readAllVolumeStates(stateDirectory)
				.map(({daemon}) => daemon)
				.filter(daemon => daemon !== undefined && isRunning(daemon))
				.map(daemon => daemon!); // Just filtered.
		},
		async whenClean(timeoutMs) {
			const endMs = performance.now() + timeoutMs;
			let left = leftOvers();
			while (left.length > 0) {
				if (performance.now() > endMs) {
					throw new Error(`Left on the node after ${timeoutMs / 1000} s:\n${left.join('\n')}`);
				}

				await delay(50);
				left = leftOvers();
			}
		},
	};
};

const makeCgroup = (): string | undefined => {
	const unified = readMountTable().find(({type}) => type === 'cgroup2')?.path;
	const directory = unified === undefined ? undefined : mkdtempIn(unified);
	if (directory === undefined) {
		return undefined;
	}

	try {
		writeFileSync(join(directory, 'cgroup.procs'), '');
	} catch {
		// Writing nothing is refused everywhere; whether a process may join is what the file's presence says.
	}

	if (existsSync(join(directory, 'cgroup.procs'))) {
		return directory;
	}

	rmdirSync(directory);
	return undefined;
};

const mkdtempIn = (parent: string): string | undefined => {
	try {
		return mkdtempSync(join(parent, 'pnx-kubelet-'));
	} catch {
		return undefined; // Mounted read-only, as in many containers.
	}
};

/** Everything that a call of this node has started: it has the state directory in its environment. */
const processesOf = (root: string): number[] =>
	readdirSync('/proc')
		.filter(name => /^\d+$/.test(name))
		.map(Number)
		.filter(pid => {
			try {
				return pid !== process.pid && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`${root}/`);
			} catch {
				return false; // It has ended.
			}
		});

const killProcesses = (root: string): void =>
	processesOf(root).forEach(pid => {
		try {
			process.kill(pid, 'SIGKILL');
		} catch {
			// It has ended.
		}
	});

const commandOf = (pid: number): string => {
	try {
		return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').slice(0, 200);
	} catch {
		return '(ended)';
	}
};

/** Paths below a directory; mount points are not entered, for they were reported already. */
const filesOf = (directory: string): string[] => {
	if (!existsSync(directory)) {
		return [];
	}

	const mounts = new Set(readMountTable().map(({path}) => path));
	const walk = (path: string): string[] =>
		readdirSync(join(directory, path), {withFileTypes: true}).flatMap(entry => {
			const inner = path === '' ? entry.name : `${path}/${entry.name}`;
			return entry.isDirectory() && !mounts.has(join(directory, inner)) ? [inner, ...walk(inner)] : [inner];
		});
	return walk('');
};

const cgroupsOf = (volumeIds: ReadonlySet<string>): string[] =>
	readMountTable()
		.filter(({type}) => type === 'cgroup2' || type === 'cgroup')
		.flatMap(({path}) => {
			const parent = join(path, 'pnx-volume');
			return existsSync(parent)
				? readdirSync(parent)
						.filter(name => volumeIds.has(name))
						.map(name => join(parent, name))
				: [];
		});

const lastLines = (path: string): string[] =>
	existsSync(path)
		? readFileSync(path, 'utf8')
				.trimEnd()
				.split('\n')
				.slice(-40)
				.map(line => line.slice(0, 400))
		: [];
