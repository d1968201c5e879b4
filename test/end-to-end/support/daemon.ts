import {spawn} from 'node:child_process';
import {chmod, mkdir, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {Readable, Writable} from 'node:stream';
import {text} from 'node:stream/consumers';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import type {DaemonReady, DaemonRequest} from '../../../src/node/launch/daemon-protocol.ts';
import {testTransport} from '../../support/test-transport.ts';

export type TestDaemon = {
	readonly pid: number;
	readonly mountPoint: string;
	readonly socketPath: string;
	readonly ready: DaemonReady;
	readonly startMs: number;
	/** `undefined` when a signal ended it. */
	readonly exited: Promise<number | undefined>;
	/** Its log so far: JSON lines. */
	log(): string;
	/** SIGTERM, and waits for the end. */
	stop(): Promise<number | undefined>;
};

type Context = Pick<ExecutionContext, 'teardown'>;

const daemonPath = fileURLToPath(new URL('../../../src/bin/daemon.ts', import.meta.url));

/** A directory for a volume's daemon, as the launcher makes it; gone after the test. */
export const createVolumeDirectory = async (t: Context): Promise<string> => {
	const directory = await mkdtemp(join(tmpdir(), 'pnx-volume-'));
	await chmod(directory, 0o755); // Other users have to get to the mount.
	await mkdir(join(directory, 'mount'));
	t.teardown(async () => rm(directory, {recursive: true, force: true}));
	return directory;
};

/** Starts `bin/daemon.ts` as the launcher does and waits for its answer. Ended after the test. */
export const startTestDaemon = async (
	t: Context,
	request: Omit<DaemonRequest, 'volumeId' | 'mountPoint'>,
	{
		isEachLogged = false,
		environment = {},
	}: {isEachLogged?: boolean; environment?: Readonly<Record<string, string>>} = {},
): Promise<TestDaemon> => {
	const mountPoint = join(request.volumeDirectory, 'mount');
	const startedMs = performance.now();
	const child = spawn(process.execPath, [daemonPath, 'test-volume', ...(isEachLogged ? ['--debug'] : [])], {
		cwd: '/',
		env: {...process.env, ...environment},
		stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
	});
	const exited = new Promise<number | undefined>(resolve => {
		child.once('exit', code => resolve(code ?? undefined));
	});
	t.teardown(async () => {
		child.kill();
		await exited;
	});
	let log = '';
	for (const stream of [child.stdout, child.stderr]) {
		stream!.setEncoding('utf8').on('data', (chunk: string) => {
			// `stdio` makes them pipes.
			log += chunk;
		});
	}

	(child.stdio[3] as Writable).end(
		JSON.stringify({
			...request,
			options: {transport: testTransport(), ...request.options},
			volumeId: 'test-volume',
			mountPoint,
		} satisfies DaemonRequest),
	);
	const line = await text(child.stdio[4] as Readable);
	if (line === '') {
		throw new Error(`The daemon ended without an answer: ${log}`);
	}

	return {
		pid: child.pid!, // It has written a line, so it runs.
		mountPoint,
		socketPath: join(request.volumeDirectory, 'control.sock'),
		ready: JSON.parse(line) as DaemonReady,
		startMs: performance.now() - startedMs,
		exited,
		log: () => log,
		async stop() {
			child.kill('SIGTERM');
			return exited;
		},
	};
};
