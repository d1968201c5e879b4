import {execFile, spawn} from 'node:child_process';
import {chmod, mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {PutBucketVersioningCommand, S3Client} from '@aws-sdk/client-s3';
import type {FaultSettings} from '../../../../src/dev-server/dev-server.ts';
import {createS3ObjectStore} from '../../../../src/store/s3-object-store.ts';
import type {ObjectStore} from '../../../../src/store/object-store.ts';
import {startTestDaemon, type TestDaemon} from '../../support/daemon.ts';
import {spawnTestDevServer, type SpawnedDevServer} from '../../../support/dev-server.ts';
import {startProgram, type Program} from './program.ts';

const run = promisify(execFile);

export type NodeOptions = {
	/** Of the volume, as users write them; they come after those of all nodes. */
	readonly options?: Readonly<Record<string, string>> | undefined;
	/** Environment of the daemon, as the launcher gives it. */
	readonly variables?: Readonly<Record<string, string>> | undefined;
	/** Environment of its process, from the start on. */
	readonly environment?: Readonly<Record<string, string>> | undefined;
	/** Logs every operation of the kernel. */
	readonly isEachLogged?: boolean | undefined;
};

/** An S3 server that somebody else has started; it fails on command if there is a proxy before it that does. */
export type RunningServer = Pick<SpawnedDevServer, 'endpoint' | 'bucket'> &
	Partial<Pick<SpawnedDevServer, 'setFaults'>> & {
		readonly credentials: {readonly accessKeyId: string; readonly secretAccessKey: string};
	};

/** One machine: a daemon with a directory of its own, and the mount that it serves. */
export type MountedNode = {
	readonly mountPoint: string;
	/** Holds `staging/`, `cache/` and `control.sock`; it stays when the daemon is killed. */
	readonly volumeDirectory: string;
	readonly socketPath: string;
	/** The daemon that runs now, or ran last. */
	daemon(): TestDaemon;
	/** What all daemons of this node have logged: JSON lines. */
	log(): string;
	/** A path on the mount. */
	at(name: string): string;
	/** A Python process that stays: each call of its `run` goes on where the one before ended. See `program.py`. */
	start(): Program;
	/** The same in a process for these lines alone. */
	python(lines: string): Promise<unknown>;
	/** Standard output of a command that runs in the root of the mount; rejects when it fails. */
	execute(command: string, ...argv: readonly string[]): Promise<string>;
	/** The same for a script of sh(1). */
	shell(script: string, ...argv: readonly string[]): Promise<string>;
	/** The same for a script of Node.js, an ES module. */
	nodeJs(script: string, ...argv: readonly string[]): Promise<string>;
	/** SIGKILL to the daemon, and waits for its end; its mount stays behind, dead. */
	kill(): Promise<void>;
	/** Takes the dead mount away and starts a daemon on what the last one has left. */
	restart(options?: NodeOptions): Promise<void>;
	/** SIGTERM to the daemon, as at an unmount: resolves to its exit status. */
	stop(): Promise<number | undefined>;
};

export type MountedNodes = {
	readonly server: Omit<SpawnedDevServer, 'credentials'> & Pick<RunningServer, 'credentials'>;
	/** The bucket, as other S3 clients see it. */
	readonly bucket: ObjectStore;
	readonly nodes: readonly MountedNode[];
	/** The first two. */
	readonly a: MountedNode;
	readonly b: MountedNode;
	/** Ends every process at once, whatever state it is in, and removes everything. */
	close(): Promise<void>;
};

/** No program may take longer: a bound against hanging, below the one of AVA, so that the test can clean up. */
const programMsMax = 100_000;

/**
Daemons that mount one bucket of an S3 server, all in processes of their own, with the kernel between them and the
programs of the test. The test itself touches no mount: it starts programs. What is left is taken away by a guard, which
lives in a process of its own too and acts when this process ends in whatever way.
*/
export const startMountedNodes = async ({
	count = 2,
	isVersioned = false,
	faults,
	s3,
	...shared
}: NodeOptions & {
	readonly count?: number;
	readonly isVersioned?: boolean;
	/** Latency and failures of the server, from the start of the first daemon on. `server.setFaults` changes them. */
	readonly faults?: Partial<FaultSettings>;
	/** A server that runs already, in place of one that is started; it has no controls. The bucket is made if need be. */
	readonly s3?: RunningServer;
} = {}): Promise<MountedNodes> => {
	const root = await mkdtemp(join(tmpdir(), 'pnx-nodes-'));
	await chmod(root, 0o755); // Other users have to get in.
	const guard = await startGuard(root);
	try {
		const server = s3 === undefined ? await startServer(root, guard) : withoutControls(s3);
		if (isVersioned) {
			await enableVersioning(server);
		}

		if (faults !== undefined) {
			await server.setFaults(faults);
		}

		const names = Array.from({length: count}, (_, index) => String.fromCodePoint(0x61 + index));
		const nodes = await Promise.all(
			names.map(async name => startNode(join(root, name), {server, shared, note: guard.note})),
		);
		const bucket = createS3ObjectStore({
			bucket: server.bucket,
			region: 'us-east-1',
			endpoint: server.endpoint,
			credentials: server.credentials,
		});
		return {
			server,
			bucket,
			nodes,
			a: nodes[0]!, // `count` is 1 at least.
			b: nodes[1] ?? nodes[0]!,
			async close() {
				await bucket.close();
				await guard.close();
			},
		};
	} catch (error) {
		await guard.close();
		throw error;
	}
};

/** The guard ends what daemons and server leave, so that none of them has to be well for it. */
const noContext = {teardown: () => undefined};

const startGuard = async (
	root: string,
): Promise<{note: (pid: number) => Promise<void>; close: () => Promise<void>}> => {
	await mkdir(join(root, 'pids'));
	const script = `cat >/dev/null
for pid in "$1"/pids/*; do kill -9 "\${pid##*/}"; done
for node in "$1"/*/; do umount -f -l "$node/mount"; done # -f ends who waits for it. A dead mount matches no pattern itself.
for attempt in 1 2 3 4 5; do # Programs that still run may write where the mount was.
	rm -rf --one-file-system "$1" && break
	sleep 1
done`;
	// A session of its own: what interrupts the tests must not end it.
	const child = spawn('sh', ['-c', script, 'sh', root], {stdio: ['pipe', 'ignore', 'ignore'], detached: true});
	const exited = new Promise(resolve => {
		child.once('exit', resolve);
	});
	return {
		note: async pid => writeFile(join(root, 'pids', String(pid)), ''),
		async close() {
			child.stdin.end();
			await exited;
			await rm(root, {recursive: true, force: true});
		},
	};
};

const startServer = async (root: string, {note}: {note: (pid: number) => Promise<void>}): Promise<SpawnedDevServer> => {
	await mkdir(join(root, 'server'));
	const server = await spawnTestDevServer(noContext, {directory: join(root, 'server')});
	await note(server.pid);
	return server;
};

const withoutControls = (s3: RunningServer): MountedNodes['server'] => {
	const refuse = async (): Promise<never> => {
		throw new Error(`The S3 server at ${s3.endpoint} has no controls`);
	};

	return {
		...s3,
		pid: 0,
		port: 0,
		directory: '',
		setFaults: s3.setFaults ?? refuse,
		countRequests: refuse,
		listRequests: refuse,
		clearRequests: refuse,
		stop: refuse,
	};
};

const enableVersioning = async ({endpoint, credentials, bucket}: RunningServer): Promise<void> => {
	const client = new S3Client({endpoint, region: 'us-east-1', forcePathStyle: true, credentials});
	await client.send(new PutBucketVersioningCommand({Bucket: bucket, VersioningConfiguration: {Status: 'Enabled'}}));
	client.destroy();
};

const startNode = async (
	volumeDirectory: string,
	{server, shared, note}: {server: RunningServer; shared: NodeOptions; note: (pid: number) => Promise<void>},
): Promise<MountedNode> => {
	const mountPoint = join(volumeDirectory, 'mount');
	await mkdir(mountPoint, {recursive: true});
	let logBefore = '';
	const startDaemon = async ({
		options,
		variables,
		environment,
		isEachLogged,
	}: NodeOptions = {}): Promise<TestDaemon> => {
		const daemon = await startTestDaemon(
			noContext,
			{
				options: {
					name: server.bucket,
					endpoint: server.endpoint,
					'path-style': 'true',
					...shared.options,
					...options,
				},
				credentials: server.credentials,
				variables: {...shared.variables, ...variables},
				volumeDirectory,
			},
			{
				isEachLogged: isEachLogged ?? shared.isEachLogged ?? false,
				environment: {...shared.environment, ...environment},
			},
		);
		await note(daemon.pid);
		if (daemon.ready.status === 'failed') {
			throw new Error(`The daemon cannot mount ${mountPoint}: ${daemon.ready.message}`);
		}

		return daemon;
	};

	let daemon = await startDaemon();
	const execute = async (command: string, ...argv: readonly string[]): Promise<string> =>
		(await run(command, argv, {cwd: mountPoint, timeout: programMsMax, killSignal: 'SIGKILL'})).stdout;
	const start = (): Program => startProgram(mountPoint, {runMsMax: programMsMax});
	return {
		mountPoint,
		volumeDirectory,
		socketPath: daemon.socketPath,
		daemon: () => daemon,
		log: () => logBefore + daemon.log(),
		at: name => join(mountPoint, name),
		start,
		async python(lines) {
			const program = start();
			try {
				return await program.run(lines);
			} finally {
				await program.close();
			}
		},
		execute,
		shell: async (script, ...argv) => execute('sh', '-c', script, 'sh', ...argv),
		nodeJs: async (script, ...argv) => execute(process.execPath, '--input-type=module', '-e', script, '--', ...argv),
		async kill() {
			process.kill(daemon.pid, 'SIGKILL');
			await daemon.exited;
		},
		async restart(options) {
			await run('umount', ['-l', mountPoint]).catch(() => undefined); // One that was stopped has left no mount.
			logBefore += daemon.log();
			daemon = await startDaemon(options);
		},
		stop: async () => daemon.stop(),
	};
};
