import {execFile, spawn} from 'node:child_process';
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {ListObjectsV2Command} from '@aws-sdk/client-s3';
import type {ExecutionContext} from 'ava';
import {runCommand} from '../../../../src/node/host/run-command.ts';
import {createDeadline, waitUntil} from '../../../../src/node/deadline.ts';
import type {Notice, WatchMessage, WatchReport} from '../../../../src/healing/watch-message.ts';
import {isRunning} from '../../../../src/node/host/process-identity.ts';
import {readAllVolumeStates, type VolumeState} from '../../../../src/node/volumes/volume-state.ts';
import {createTestClient, type SpawnedDevServer} from '../../../support/dev-server.ts';
import {createDriverHarness, type DriverHarness} from '../../../support/driver.ts';

const run = promisify(execFile);
const commandPath = fileURLToPath(new URL('../../../../dist/bin/pnx-volume.js', import.meta.url));
const waitMs = 300_000;

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** The options of a volume on the test's server, with credentials of its own. */
export const secretOptions = (
	{endpoint, bucket, credentials}: SpawnedDevServer,
	more: Readonly<Record<string, string>> = {},
): Record<string, string> => ({
	name: bucket,
	endpoint,
	'path-style': 'true',
	'kubernetes.io/secret/access-key-id': base64(credentials.accessKeyId),
	'kubernetes.io/secret/secret-access-key': base64(credentials.secretAccessKey),
	...more,
});

type HealingNode = DriverHarness & {readonly runDirectory: string};

/**
A node whose kubelet directory is a shared mount, as systemd makes all mounts, and whose run directory is in memory.
*/
export const createHealingNode = async (
	t: ExecutionContext,
	variables: Readonly<Record<string, string>> = {},
): Promise<HealingNode> => {
	const runDirectory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : '/run', 'pnx-run-'));
	t.teardown(() => rmSync(runDirectory, {recursive: true, force: true}));
	const node = createDriverHarness(t, {PNX_VOLUME_RUN_DIR: runDirectory, ...variables});
	await run('mount', ['--bind', node.kubeletDirectory, node.kubeletDirectory]);
	await run('mount', ['--make-shared', node.kubeletDirectory]);
	return {...node, runDirectory};
};

/**
What a pod's process does on the host's side of its directory: in a process of its own, so that this one never waits
for a mount.
*/
export const inDirectory = async (directory: string, script: string): Promise<string> => {
	const {exitCode, message} = await runCommand('/bin/sh', ['-ec', script, 'sh', directory], createDeadline(300_000));
	return exitCode === 0 ? message : `failed: ${message}`;
};

export const stateOf = (node: DriverHarness): VolumeState => readAllVolumeStates(node.stateDirectory)[0]!;

/** Ends the daemons of all volumes as the kernel does when memory is short, and waits for their end. */
export const killDaemons = async (node: DriverHarness): Promise<void> => {
	for (const {daemon} of readAllVolumeStates(node.stateDirectory)) {
		if (daemon !== undefined) {
			process.kill(daemon.pid, 'SIGKILL');
			await waitUntil(() => !isRunning(daemon), createDeadline(300_000));
		}
	}
};

/** `pnx-volume heal`, once; its output and how it ended. */
export const heal = async (
	node: DriverHarness,
	...args: readonly string[]
): Promise<{output: string; exitCode: number}> => runPnxVolume(node, 'heal', ...args);

/** A command of the command line; its output and how it ended. */
export const runPnxVolume = async (
	node: DriverHarness,
	...args: readonly string[]
): Promise<{output: string; exitCode: number}> => {
	try {
		const {stdout, stderr} = await run(process.execPath, [commandPath, ...args], {
			env: {PATH: process.env['PATH'], ...node.variables},
		});
		return {output: stdout + stderr, exitCode: 0};
	} catch (error) {
		const {stdout, stderr, code} = error as {stdout: string; stderr: string; code: number};
		return {output: stdout + stderr, exitCode: code};
	}
};

export type RunningWatch = {
	readonly pid: number;
	readonly notices: readonly Notice[];
	readonly reports: readonly WatchReport[];
	/** Waits until what it has said fulfils a condition. */
	readonly until: (condition: () => boolean) => Promise<boolean>;
	readonly notice: (reason: string) => Promise<Notice | undefined>;
	/** By the end of its input, or by a signal; its exit code. */
	readonly end: (signal?: NodeJS.Signals) => Promise<number | null>;
};

/** `pnx-volume watch` with short rounds; ends with the test. */
export const startWatch = (
	t: ExecutionContext,
	node: Pick<DriverHarness, 'variables'>,
	...args: readonly string[]
): RunningWatch => {
	const child = spawn(
		process.execPath,
		[commandPath, 'watch', '--interval', '100ms', '--answer-within', '1s', ...args],
		{env: {PATH: process.env['PATH'], ...node.variables}, stdio: ['pipe', 'pipe', 'inherit']},
	);
	const notices: Notice[] = [];
	const reports: WatchReport[] = [];
	createInterface({input: child.stdout}).on('line', line => {
		const message = JSON.parse(line) as WatchMessage;
		if (message.type === 'notice') {
			notices.push(message.notice);
		} else {
			reports.push(message.report);
		}
	});
	const exited = new Promise<number | null>(resolve => {
		child.once('exit', code => resolve(code));
	});
	const end: RunningWatch['end'] = async signal => {
		if (signal === undefined) {
			child.stdin.end();
		} else {
			child.kill(signal);
		}

		return exited;
	};

	t.teardown(async () => end('SIGKILL'));
	const until: RunningWatch['until'] = async condition => waitUntil(condition, createDeadline(waitMs));
	return {
		pid: child.pid!,
		notices,
		reports,
		until,
		end,
		async notice(reason) {
			await until(() => notices.some(notice => notice.reason === reason));
			return notices.find(notice => notice.reason === reason);
		},
	};
};

export const keysOf = async (t: ExecutionContext, server: SpawnedDevServer): Promise<string[]> => {
	const {Contents = []} = await createTestClient(t, server).send(new ListObjectsV2Command({Bucket: server.bucket}));
	return Contents.map(({Key}) => Key!);
};
