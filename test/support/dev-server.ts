import {spawn, type ChildProcess} from 'node:child_process';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {CreateBucketCommand, S3Client, type S3ClientConfig} from '@aws-sdk/client-s3';
import type {ExecutionContext} from 'ava';
import {
	DevServer,
	type DevServerOptions,
	type FaultSettings,
	type LoggedRequest,
} from '../../src/dev-server/dev-server.ts';

export const devCredentials = {accessKeyId: 'dev', secretAccessKey: 'dev-secret'} as const;

type Context = Pick<ExecutionContext, 'teardown'>;
type Place = {endpoint: string; bucket: string; credentials: typeof devCredentials};

/** A client for a server of this file; closed at the end of the test. */
export const createTestClient = (t: Context, {endpoint}: {endpoint: string}, config: S3ClientConfig = {}): S3Client => {
	const client = new S3Client({
		endpoint,
		region: 'us-east-1',
		forcePathStyle: true,
		credentials: devCredentials,
		maxAttempts: 1,
		...config,
	});
	t.teardown(() => client.destroy());
	return client;
};

/** A directory that is gone after the test. */
export const createTestDirectory = async (t: Context): Promise<string> => {
	const directory = await mkdtemp(join(tmpdir(), 'pnx-volume-test-'));
	t.teardown(() => rm(directory, {recursive: true, force: true}));
	return directory;
};

/** A server in this process with one bucket, on a free port and a directory of its own; gone after the test. */
export const startTestDevServer = async (
	t: Context,
	options: Partial<DevServerOptions> = {},
): Promise<Place & {server: DevServer; directory: string}> => {
	const directory = options.directory ?? (await createTestDirectory(t));
	const server = await DevServer.start({...options, directory});
	t.teardown(() => server.close());
	const bucket = await createTestBucket(server.endpoint, options);
	server.requests.clear();
	return {server, directory, endpoint: server.endpoint, bucket, credentials: devCredentials};
};

/** The controls of a server in another process: those of `DevServer`, over HTTP. */
export type SpawnedDevServer = Place & {
	readonly pid: number;
	readonly port: number;
	readonly directory: string;
	/** Turns on exactly these faults; `{}` turns all off. A RegExp is sent as its text. */
	setFaults(faults: Partial<FaultSettings>): Promise<void>;
	countRequests(filter?: {operation?: string; key?: string}): Promise<number>;
	listRequests(filter?: {operation?: string; key?: string}): Promise<LoggedRequest[]>;
	clearRequests(): Promise<void>;
	/** Ends the process and waits for it: SIGTERM, or SIGKILL to see what a crash leaves. */
	stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
};

/**
The same in a process of its own: for tests that block this process, hold a mount, or kill the server. Give `directory`
(and `port`) to start again where another one was stopped; then `hasBucket: true` leaves the bucket `test` as it is.
*/
export const spawnTestDevServer = async (
	t: Context,
	{hasBucket = false, ...options}: Partial<Omit<DevServerOptions, 'log'>> & {hasBucket?: boolean} = {},
): Promise<SpawnedDevServer> => {
	const directory = options.directory ?? (await createTestDirectory(t));
	const child = spawn(
		process.execPath,
		[join(import.meta.dirname, 'dev-server-process.ts'), JSON.stringify({...options, directory})],
		{stdio: ['pipe', 'pipe', 'inherit']},
	);
	const stop = async (signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> => {
		if (child.exitCode === null && child.signalCode === null) {
			const exited = new Promise(resolve => {
				child.once('exit', resolve);
			});
			child.kill(signal);
			await exited;
		}
	};

	t.teardown(() => stop());
	const {endpoint, port} = await readEndpoint(child);
	const control = createControl(endpoint);
	const bucket = hasBucket ? testBucket : await createTestBucket(endpoint, options);
	await control('DELETE', 'requests');
	return {
		pid: child.pid!, // It has written its line, so it runs.
		port,
		endpoint,
		directory,
		credentials: devCredentials,
		bucket,
		async setFaults(faults) {
			await control(
				'PUT',
				'faults',
				JSON.stringify(faults, (_, value: unknown) => (value instanceof RegExp ? String(value) : value)),
			);
		},
		countRequests: async filter =>
			((await control('GET', `requests?${String(new URLSearchParams(filter))}`)) as {count: number}).count,
		listRequests: async filter =>
			((await control('GET', `requests?${String(new URLSearchParams(filter))}`)) as {requests: LoggedRequest[]})
				.requests,
		async clearRequests() {
			await control('DELETE', 'requests');
		},
		stop,
	};
};

const testBucket = 'test';

type ServerIdentity = Pick<Partial<DevServerOptions>, 'region' | 'accessKeyId' | 'secretAccessKey'>;

const createTestBucket = async (
	endpoint: string,
	{
		region = 'us-east-1',
		accessKeyId = devCredentials.accessKeyId,
		secretAccessKey = devCredentials.secretAccessKey,
	}: ServerIdentity,
): Promise<string> => {
	const client = new S3Client({endpoint, region, forcePathStyle: true, credentials: {accessKeyId, secretAccessKey}});
	try {
		// The SDK adds the region as the location where S3 wants it.
		await client.send(new CreateBucketCommand({Bucket: testBucket}));
	} catch (error) {
		if (!(error instanceof Error && error.name === 'BucketAlreadyOwnedByYou')) {
			throw error;
		}
	} finally {
		client.destroy();
	}

	return testBucket;
};

const createControl =
	(endpoint: string) =>
	async (method: string, path: string, body: string | null = null): Promise<unknown> => {
		const response = await fetch(`${endpoint}/_dev/${path}`, {method, body});
		const answer: unknown = await response.json();
		if (!response.ok) {
			throw new Error(`Cannot ${method} /_dev/${path}: ${(answer as {message: string}).message}`);
		}

		return answer;
	};

const readEndpoint = (child: ChildProcess): Promise<{endpoint: string; port: number}> =>
	new Promise((resolve, reject) => {
		child.once('error', reject);
		child.once('exit', (code, signal) => {
			reject(new Error(`The S3 server ended before it answered: exit status ${code}, signal ${signal}`));
		});
		createInterface({input: child.stdout!}).once('line', line => {
			resolve(JSON.parse(line) as {endpoint: string; port: number});
		});
	});
