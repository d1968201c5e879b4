import {spawn, spawnSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import {detachMounts} from '../../src/node/mounts/bind-mount.ts';
import {endDaemon} from '../../src/node/launch/daemon-launcher.ts';
import {createDeadline} from '../../src/node/deadline.ts';
import {readMountTable} from '../../src/node/mounts/mount-table.ts';
import {removeOwnCgroup} from '../../src/node/launch/own-cgroup.ts';
import {readAllVolumeStates} from '../../src/node/volumes/volume-state.ts';

export const driverPath = fileURLToPath(new URL('../../driver/volume', import.meta.url));
const standInDaemonPath = fileURLToPath(new URL('stand-in-daemon.ts', import.meta.url));

/** The environment of a kubelet under systemd: a minimal PATH, no HOME, nothing of AWS. */
const kubeletPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export type DriverReply = {
	readonly status: string;
	readonly message?: string;
	readonly capabilities?: Record<string, boolean>;
};

export type DriverResult = {
	/** Everything that came out of the one pipe that is stdout and stderr. */
	readonly output: string;
	readonly exitCode: number | null;
	/** Until the last holder of that pipe let go of it. */
	readonly durationMs: number;
	readonly reply: DriverReply;
};

export type DriverHarness = {
	readonly stateDirectory: string;
	readonly logPath: string;
	/** The kubelet's root directory. */
	readonly kubeletDirectory: string;
	/** What makes the driver and the command line use this node's directories. */
	readonly variables: Readonly<Record<string, string>>;
	/** Runs the driver as the kubelet does. */
	readonly call: (...argv: readonly string[]) => Promise<DriverResult>;
	readonly callWith: (variables: Readonly<Record<string, string>>, ...argv: readonly string[]) => Promise<DriverResult>;
	/** Makes the directory of a volume in a pod, as the kubelet does before `mount`. */
	readonly podDirectory: (podUid: string, volumeName?: string) => string;
	/** `mount` with the JSON that a kubelet gives. */
	readonly mount: (directory: string, options: Readonly<Record<string, string>>) => Promise<DriverResult>;
	readonly unmount: (directory: string) => Promise<DriverResult>;
	readonly log: () => string;
	/** In place of the permissive policy that a harness starts with: its JSON, or `undefined` for none. */
	readonly setPolicy: (policy: unknown) => void;
};

/** Allows everything, the servers of tests included: for tests that are not about the policy. */
export const permissivePolicy = {
	rules: [
		{
			namespaces: ['*'],
			...Object.fromEntries(
				['withNodeCredentials', 'withSecret'].map(section => [
					section,
					{buckets: [{bucket: '*'}], endpoints: ['aws', '*', 'http://127.0.0.1:*', 'http://localhost:*']},
				]),
			),
		},
	],
};

/** The JSON of a kubelet for a volume's directory; what `options` say counts. */
export const toKubeletJson = (directory: string, options: Readonly<Record<string, string>>): string => {
	const [podUid = '', , , volumeName = ''] = directory.split('/').slice(-4);
	return JSON.stringify({
		'kubernetes.io/fsType': 'fuse',
		'kubernetes.io/readwrite': 'rw',
		'kubernetes.io/pod.name': 'pod-1',
		'kubernetes.io/pod.namespace': 'default',
		'kubernetes.io/pod.uid': podUid,
		'kubernetes.io/pvOrVolumeName': volumeName,
		'kubernetes.io/serviceAccount.name': 'default',
		...options,
	});
};

/**
A node of its own for one test: state directory, log and kubelet directory below a temporary one. At the test's end
every daemon is dead, every mount below it gone, and the directory removed. `variables` are added to the driver's
environment.
*/
export const createDriverHarness = (
	t: ExecutionContext,
	variables: Readonly<Record<string, string>> = {},
): DriverHarness => {
	const root = mkdtempSync(join(tmpdir(), 'pnx-'));
	const stateDirectory = join(root, 'state');
	const logPath = join(root, 'driver.log');
	const kubeletDirectory = join(root, 'kubelet');
	const policyPath = join(root, 'policy.json');
	mkdirSync(kubeletDirectory);
	writeFileSync(policyPath, JSON.stringify(permissivePolicy), {mode: 0o600});
	t.teardown(async () => {
		await cleanUpNode(stateDirectory, root);
		rmSync(root, {recursive: true, force: true});
	});

	// At the end of a test, and of most tests' unmounts, daemons are to be gone; test/end-to-end/driver/idle.ts is about
	// those that stay. The same way of launch and place of the log on every machine; test/end-to-end/systemd is about
	// the other.
	const allVariables = {
		PNX_VOLUME_IDLE_MS: '0',
		PNX_VOLUME_LAUNCH: 'cgroup',
		PNX_VOLUME_POLICY: policyPath,
		PNX_VOLUME_STATE_DIR: stateDirectory,
		PNX_VOLUME_RUN_DIR: join(root, 'run'),
		PNX_VOLUME_LOG: logPath,
		...variables,
	};
	const callWith: DriverHarness['callWith'] = async (more, ...argv) => runDriver({...allVariables, ...more}, argv);
	return {
		variables: allVariables,
		stateDirectory,
		logPath,
		kubeletDirectory,
		callWith,
		call: async (...argv) => callWith({}, ...argv),
		podDirectory(podUid, volumeName = 'v') {
			const directory = join(kubeletDirectory, 'pods', podUid, 'volumes', 'pnx~volume', volumeName);
			mkdirSync(directory, {recursive: true, mode: 0o750});
			return directory;
		},
		mount: async (directory, options) => callWith({}, 'mount', directory, toKubeletJson(directory, options)),
		unmount: async directory => callWith({}, 'unmount', directory),
		log: () => readFileSync(logPath, 'utf8'),
		setPolicy(policy) {
			rmSync(policyPath, {force: true});
			if (policy !== undefined) {
				writeFileSync(policyPath, typeof policy === 'string' ? policy : JSON.stringify(policy), {mode: 0o600});
			}
		},
	};
};

/** Ends the daemons of a state directory and takes away every mount below a directory. */
export const cleanUpNode = async (stateDirectory: string, root: string): Promise<void> => {
	for (const state of readAllVolumeStates(stateDirectory)) {
		if (state.daemon !== undefined) {
			await endDaemon(state.daemon, state);
			await removeOwnCgroup(state.volumeId);
		}
	}

	for (const {path} of readMountTable()
		.filter(mount => mount.path.startsWith(`${root}/`))
		.reverse()) {
		await detachMounts(path, createDeadline(300_000));
	}

	// Directories that were mounted on are immutable; most tests have unmounted theirs.
	spawnSync('chattr', ['-R', '-f', '-i', root], {stdio: 'ignore'});
};

/**
Runs `driver/volume` with stdin at /dev/null and stdout and stderr on one pipe, and waits until nobody holds that
pipe any more.
*/
const runDriver = async (
	variables: Readonly<Record<string, string>>,
	argv: readonly string[],
): Promise<DriverResult> => {
	const startedAtMs = performance.now();
	const {promise, resolve, reject} = Promise.withResolvers<{output: string; exitCode: number | null}>();
	const child = spawn('/bin/sh', ['-c', 'exec "$@" 2>&1', 'sh', driverPath, ...argv], {
		cwd: '/',
		env: {PATH: kubeletPath, ...variables},
		stdio: ['ignore', 'pipe', 'ignore'],
	});
	let output = '';
	child.stdout.setEncoding('utf8').on('data', (text: string) => {
		output += text;
	});
	child.on('error', reject);
	child.on('close', exitCode => resolve({output, exitCode}));
	const result = await promise;
	return {...result, durationMs: performance.now() - startedAtMs, reply: parseReply(result.output)};
};

/** As the kubelet parses: the whole output is one JSON value. */
const parseReply = (output: string): DriverReply => {
	try {
		return JSON.parse(output) as DriverReply;
	} catch {
		return {status: `not one JSON value: ${output}`};
	}
};

type StandInStart = {
	readonly argv: readonly string[];
	readonly env: Readonly<Record<string, string>>;
	readonly descriptors: readonly string[];
	readonly coreLimit: string;
	readonly pid: number;
	readonly request: {
		readonly volumeId: string;
		readonly options: Readonly<Record<string, string>>;
		readonly credentials?: object;
		readonly fsGroup?: number;
		readonly volumeDirectory: string;
	};
};

/** A harness whose daemons are stand-ins; `starts()` tells what they were given. */
export const createStandInHarness = (
	t: ExecutionContext,
	variables: Readonly<Record<string, string>> = {},
): DriverHarness & {starts: () => StandInStart[]} => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-stand-in-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	const starts = join(directory, 'starts');
	const harness = createDriverHarness(t, {
		PNX_VOLUME_DAEMON: standInDaemonPath,
		PNX_VOLUME_STAND_IN_LOG: starts,
		...variables,
	});
	return {
		...harness,
		starts: () =>
			readdirSync(directory).length === 0
				? []
				: readFileSync(starts, 'utf8')
						.split('\n')
						.slice(0, -1)
						.map(line => JSON.parse(line) as StandInStart),
	};
};
