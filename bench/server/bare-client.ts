// What a bare HTTP client gets from the server, as the ceiling of every stream: a process of its own that takes its
// request as JSON from standard input and prints the seconds. It neither keeps nor checks bytes.
import {Agent, request as sendRequest} from 'node:http';
import {text} from 'node:stream/consumers';
import {forEachParallel} from '../../src/model/semaphore.ts';
import {S3Signer} from '../../src/store/s3-signer.ts';
import type {Endpoint} from './s3-server.ts';

export type BareClientRequest = {
	readonly endpoint: Endpoint;
	readonly bucket: string;
	readonly what: 'read' | 'write';
	/** The bytes lie in objects `KEY.0`, `KEY.1`, … of one part each. */
	readonly key: string;
	readonly sizeBytes: number;
	readonly partBytes: number;
	readonly connections: number;
};

const request = JSON.parse(await text(process.stdin)) as BareClientRequest;
const {endpoint, bucket, what, key, sizeBytes, partBytes, connections} = request;
const {hostname, port, host} = new URL(endpoint.url);
const signer = new S3Signer({region: endpoint.region});
const agent = new Agent({keepAlive: true, maxSockets: connections});
const body = Buffer.alloc(partBytes, 'x');
const parts = Array.from({length: Math.ceil(sizeBytes / partBytes)}, (_, index) => index);

const send = (index: number): Promise<void> => {
	const bytes = Math.min(partBytes, sizeBytes - index * partBytes);
	const isWrite = what === 'write';
	const method = isWrite ? 'PUT' : 'GET';
	const path = `/${bucket}/${key}.${index}`;
	const headers = signer.sign(
		{method, host, path, query: '', headers: isWrite ? {'content-length': String(bytes)} : {}, hasBody: isWrite},
		endpoint,
	);
	return new Promise((resolve, reject) => {
		const sent = sendRequest({agent, hostname, port, path, method, headers}, response => {
			if (response.statusCode !== 200) {
				reject(new Error(`The server answered a bare ${what} with ${response.statusCode}`));
			}

			response.on('end', resolve).on('error', reject).resume();
		});
		sent.on('error', reject);
		sent.end(isWrite ? body.subarray(0, bytes) : undefined);
	});
};

const startedMs = performance.now();
await forEachParallel(parts, connections, send);
console.log((performance.now() - startedMs) / 1000);
agent.destroy();
