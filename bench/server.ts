import path from 'node:path';
import {execa} from 'execa';
import {forEachParallel} from '../src/model/semaphore.ts';
import {createS3ObjectStore} from '../src/store/s3-object-store.ts';
import type {ObjectStore} from '../src/store/object-store.ts';

export type Endpoint = {readonly url: string; readonly accessKeyId: string; readonly secretAccessKey: string};

/** The embedded S3 server in a process of its own, without added latency. */
export const startServer = async (directory: string): Promise<Endpoint & {stop: () => Promise<void>}> => {
	const program = path.resolve(import.meta.dirname, '../test/support/dev-server-process.ts');
	const child = execa(process.execPath, [program, JSON.stringify({directory, port: 0})], {
		stdin: 'pipe',
		stdout: 'pipe',
		stderr: 'inherit',
		buffer: false,
	});
	child.catch(() => undefined); // Ends when its standard input does, in stop().
	let line = '';
	for await (const text of child.stdout.setEncoding('utf8')) {
		line += text as string;
		if (line.includes('\n')) {
			break;
		}
	}

	const {endpoint} = JSON.parse(line) as {endpoint: string};
	return {
		url: endpoint,
		accessKeyId: 'dev',
		secretAccessKey: 'dev-secret',
		async stop() {
			child.stdin.end();
			await child.catch(() => undefined);
		},
	};
};

export const openBucket = (server: Endpoint, bucket: string): ObjectStore =>
	createS3ObjectStore({
		bucket,
		keyPrefix: '',
		region: 'us-east-1',
		endpoint: server.url,
		pathStyle: true,
		timeoutMs: 30_000,
		credentials: {accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey},
	});

/** Many small objects, as another S3 tool would have made them. */
export const fillBucket = async (store: ObjectStore, prefix: string, count: number): Promise<void> => {
	const names = Array.from({length: count}, (_, index) => `${prefix}f${index.toString().padStart(6, '0')}`);
	await forEachParallel(names, 16, async name => {
		await store.put(name, Buffer.from('data'));
	});
};
