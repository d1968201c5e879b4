import {execFileSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:https';
import type {IncomingMessage} from 'node:http';
import type {AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {Event, type IEvent} from 'kubernetes-models/v1/Event';
import type {ClusterAccess} from '../../../src/agent/kubernetes/cluster-access.ts';

type ApiCall = {
	readonly method: string;
	readonly path: string;
	readonly token: string;
	readonly body: string;
	readonly contentType: string;
};

export type ApiServer = {
	readonly access: ClusterAccess;
	/** Every call that came with a token. */
	readonly calls: ApiCall[];
	/** Events by name, as they are now. */
	readonly events: Map<string, IEvent>;
	/** What kubelets of nodes say. */
	readonly configz: Map<string, object>;
	/** The one token that is good; what was good before is not any more. */
	setToken(token: string): void;
	/** Instead of an answer: this status; `hang` for none at all; `undefined` for business as usual. */
	failure: number | 'hang' | undefined;
	/** For who starts an agent as a process. */
	readonly variables: Readonly<Record<string, string>>;
};

/**
As much of an API server as an agent talks to: TLS with a CA of its own, tokens, the kubelet's configuration through
its proxy, and Events, held against their schema.
*/
export const startApiServer = async (t: ExecutionContext): Promise<ApiServer> => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-api-'));
	const serviceAccountDirectory = join(directory, 'serviceaccount');
	mkdirSync(serviceAccountDirectory);
	const {key, cert} = createCertificates(directory);
	writeFileSync(join(serviceAccountDirectory, 'ca.crt'), readFileSync(join(directory, 'ca.crt')));

	let goodToken = '';
	const server = createServer({key, cert}, (request, response) => {
		void (async () => {
			const body = await readBody(request);
			const answer = (status: number, value: object): void => {
				response.writeHead(status, {'content-type': 'application/json'}).end(JSON.stringify(value));
			};
			const token = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
			if (token !== goodToken) {
				answer(401, toStatus(401, 'Unauthorized'));
				return;
			}

			const call = {
				method: request.method ?? '',
				path: request.url ?? '',
				token,
				body,
				contentType: request.headers['content-type'] ?? '',
			};
			api.calls.push(call);
			if (api.failure === 'hang') {
				return;
			}

			const [status, value] =
				api.failure === undefined ? handle(api, call) : ([api.failure, toStatus(api.failure, 'told to fail')] as const);
			answer(status, value);
		})();
	});
	await new Promise<void>(resolve => {
		server.listen(0, '127.0.0.1', resolve);
	});
	t.teardown(async () => {
		const closed = new Promise(resolve => {
			server.close(resolve);
		});
		server.closeAllConnections();
		await closed;
		rmSync(directory, {recursive: true, force: true});
	});

	const {port} = server.address() as AddressInfo;
	const api: ApiServer = {
		access: {host: '127.0.0.1', port, serviceAccountDirectory},
		calls: [],
		events: new Map(),
		configz: new Map(),
		setToken(token) {
			goodToken = token;
			writeFileSync(join(serviceAccountDirectory, 'token'), `${token}\n`);
		},
		failure: undefined,
		variables: {KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(port)},
	};
	api.setToken('token-1');
	return api;
};

const handle = (api: ApiServer, {method, path, body, contentType}: ApiCall): readonly [number, object] => {
	const [, node] = /^\/api\/v1\/nodes\/([^/]+)\/proxy\/configz$/.exec(path) ?? [];
	if (method === 'GET' && node !== undefined) {
		const config = api.configz.get(node);
		return config === undefined ? [404, toStatus(404, `nodes "${node}" not found`)] : [200, {kubeletconfig: config}];
	}

	const [, namespace, name] = /^\/api\/v1\/namespaces\/([^/]+)\/events(?:\/([^/]+))?$/.exec(path) ?? [];
	if (method === 'POST' && namespace !== undefined && name === undefined) {
		return createEvent(api, namespace, JSON.parse(body) as IEvent);
	}

	if (method === 'PATCH' && name !== undefined) {
		const event = api.events.get(name);
		if (event === undefined) {
			return [404, toStatus(404, `events "${name}" not found`)];
		}

		if (contentType !== 'application/merge-patch+json') {
			return [415, toStatus(415, `${contentType} is not supported`)];
		}

		api.events.set(name, {...event, ...(JSON.parse(body) as object)});
		return [200, event];
	}

	return [404, toStatus(404, 'the server could not find the requested resource')];
};

/** What the real one checks, besides the schema: names are unique, and an Event lives where its object does. */
const createEvent = (api: ApiServer, namespace: string, event: IEvent): readonly [number, object] => {
	const name = event.metadata.name ?? '';
	if (api.events.has(name)) {
		return [409, toStatus(409, `events "${name}" already exists`)];
	}

	const objectNamespace = event.involvedObject.namespace ?? 'default';
	if (
		event.metadata.namespace !== namespace ||
		objectNamespace !== namespace ||
		!/^[a-z\d]([a-z\d.-]{0,251}[a-z\d])?$/.test(name)
	) {
		return [
			422,
			toStatus(422, `involvedObject.namespace: Invalid value: "${objectNamespace}": does not match event.namespace`),
		];
	}

	try {
		new Event(event).validate();
	} catch (error) {
		return [422, toStatus(422, (error as Error).message)];
	}

	api.events.set(name, event);
	return [201, event];
};

const toStatus = (code: number, message: string): object => ({
	kind: 'Status',
	apiVersion: 'v1',
	status: 'Failure',
	code,
	message,
});

const readBody = async (request: IncomingMessage): Promise<string> => {
	let text = '';
	for await (const part of request.setEncoding('utf8')) {
		text += String(part);
	}

	return text;
};

/** A CA, and a certificate of it for 127.0.0.1; the CA's goes to `ca.crt`. */
const createCertificates = (directory: string): {key: Buffer; cert: Buffer} => {
	const at = (name: string): string => join(directory, name);
	const openssl = (...args: readonly string[]) =>
		execFileSync('openssl', args, {cwd: directory, stdio: ['ignore', 'ignore', 'pipe']});
	openssl(
		'req',
		'-x509',
		'-newkey',
		'ec',
		'-pkeyopt',
		'ec_paramgen_curve:prime256v1',
		'-nodes',
		'-keyout',
		'ca.key',
		'-out',
		'ca.crt',
		'-days',
		'2',
		'-subj',
		'/CN=kubernetes',
	);
	openssl(
		'req',
		'-newkey',
		'ec',
		'-pkeyopt',
		'ec_paramgen_curve:prime256v1',
		'-nodes',
		'-keyout',
		'server.key',
		'-out',
		'server.csr',
		'-subj',
		'/CN=kube-apiserver',
	);
	writeFileSync(at('san'), 'subjectAltName=IP:127.0.0.1');
	openssl(
		'x509',
		'-req',
		'-in',
		'server.csr',
		'-CA',
		'ca.crt',
		'-CAkey',
		'ca.key',
		'-CAcreateserial',
		'-days',
		'2',
		'-extfile',
		'san',
		'-out',
		'server.crt',
	);
	return {key: readFileSync(at('server.key')), cert: readFileSync(at('server.crt'))};
};
