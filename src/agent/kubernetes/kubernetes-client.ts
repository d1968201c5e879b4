import {readFileSync} from 'node:fs';
import {request} from 'node:https';
import {isIP} from 'node:net';
import {join} from 'node:path';
import {toOneLine, toReason} from '../../model/error-text.ts';
import type {ClusterAccess} from './cluster-access.ts';

export type KubernetesRequest = {
	readonly method: 'GET' | 'POST' | 'PATCH';
	readonly path: string;
	/** Sent as JSON; for PATCH as a merge patch. */
	readonly body?: object | undefined;
	readonly signal: AbortSignal;
};

/** The API server; a call that it does not answer with 2xx fails with a `KubernetesError`. */
export type KubernetesClient = {
	readonly call: (request: KubernetesRequest) => Promise<unknown>;
};

/** The API server refused the call or did not answer. `status` is 0 when there was no answer. */
export class KubernetesError extends Error {
	override readonly name = 'KubernetesError';
	readonly status: number;

	constructor(message: string, status: number, options?: ErrorOptions) {
		super(message, options);
		this.status = status;
	}

	/**
	Trying again cannot help before somebody changes something in the cluster. A token that has just run out
	(401) is soon another one.
	*/
	get isFinal(): boolean {
		return this.status >= 400 && this.status < 500 && ![401, 408, 429].includes(this.status);
	}
}

const callMs = 10_000;
const answerBytesMax = 4 * 2 ** 20;

/**
Calls on the API server over TLS, checked against the cluster's own CA. Token and CA are read for each call: they
change every hour or so.
*/
export const createKubernetesClient = ({host, port, serviceAccountDirectory}: ClusterAccess): KubernetesClient => ({
	async call({method, path, body, signal}) {
		const what = `${method} ${path}`;
		try {
			const token = readFileSync(join(serviceAccountDirectory, 'token'), 'utf8').trim();
			const ca = readFileSync(join(serviceAccountDirectory, 'ca.crt'));
			const payload = body === undefined ? undefined : JSON.stringify(body);
			const {status, text} = await send({
				host,
				port,
				ca,
				token,
				method,
				path,
				payload,
				signal: AbortSignal.any([signal, AbortSignal.timeout(callMs)]),
			});
			if (status < 200 || status > 299) {
				throw new KubernetesError(`${what} was answered with ${status}: ${toStatusMessage(text)}`, status);
			}

			return text === '' ? undefined : (JSON.parse(text) as unknown);
		} catch (error) {
			if (error instanceof KubernetesError) {
				throw error;
			}

			throw new KubernetesError(`${what} failed: ${toReason(error)}`, 0, {cause: error});
		}
	},
});

type Exchange = {
	readonly host: string;
	readonly port: number;
	readonly ca: Buffer;
	readonly token: string;
	readonly method: string;
	readonly path: string;
	readonly payload: string | undefined;
	readonly signal: AbortSignal;
};

const send = async ({
	host,
	port,
	ca,
	token,
	method,
	path,
	payload,
	signal,
}: Exchange): Promise<{status: number; text: string}> => {
	const {promise, resolve, reject} = Promise.withResolvers<{status: number; text: string}>();
	const headers: Record<string, string> = {
		authorization: `Bearer ${token}`,
		accept: 'application/json',
		'user-agent': 'pnx-volume',
	};
	if (payload !== undefined) {
		headers['content-type'] = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
		headers['content-length'] = String(Buffer.byteLength(payload));
	}

	// A connection for each call: calls are rare, and a kept one would hold on to an API server that is gone. An
	// address is no name for SNI.
	const call = request(
		{host, port, ca, method, path, headers, signal, agent: false, servername: isIP(host) === 0 ? host : ''},
		response => {
			const parts: Buffer[] = [];
			let bytes = 0;
			response.on('data', (part: Buffer) => {
				bytes += part.length;
				if (bytes > answerBytesMax) {
					call.destroy(new Error(`the answer has more than ${answerBytesMax} bytes`));
					return;
				}

				parts.push(part);
			});
			response.on('error', reject);
			response.on('end', () =>
				resolve({status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8')}),
			);
		},
	);
	call.on('error', reject);
	call.end(payload);
	return promise;
};

/** The sentence in a `Status` object, or the beginning of whatever else came. */
const toStatusMessage = (text: string): string => {
	try {
		const {message} = JSON.parse(text) as {message?: unknown};
		return typeof message === 'string' ? message.slice(0, 500) : 'no reason given';
	} catch {
		return toOneLine(text.slice(0, 200)); // A proxy's page.
	}
};
