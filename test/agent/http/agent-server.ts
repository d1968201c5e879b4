import {once} from 'node:events';
import {request} from 'node:http';
import {connect} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import type {AgentSnapshot} from '../../../src/agent/agent-snapshot.ts';
import {AgentServer} from '../../../src/agent/http/agent-server.ts';
import {parseListenAddress} from '../../../src/agent/http/listen-address.ts';
import type {StatusDocument} from '../../../src/agent/http/status-document.ts';
import {agentSnapshot, watchedVolume} from '../support/agent-snapshots.ts';

const serve = async (t: ExecutionContext, snapshot: () => AgentSnapshot = () => agentSnapshot([])) => {
	const server = await AgentServer.start({
		metricsListen: '127.0.0.1:0',
		statusListen: '127.0.0.1:0',
		snapshot,
		metricsPage: async ({version}) => ({
			contentType: 'text/plain; version=0.0.4',
			body: `up{version="${version}"} 1\n`,
		}),
	});
	t.teardown(async () => server.close());
	return {
		metrics: `http://${server.metricsAddress}`,
		status: `http://${server.statusAddress}`,
		statusPort: Number(server.statusAddress?.split(':').at(-1)),
	};
};

/** fetch() sets the header Host itself. */
const getAs = async (url: string, host: string): Promise<number> => {
	const sent = request(url, {headers: {host}}).end();
	const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
	response.resume();
	return response.statusCode ?? 0;
};

test('the server answers GET and HEAD of its pages, and nothing else', async t => {
	const {metrics, status} = await serve(t);
	for (const [url, contentType] of [
		[`${metrics}/healthz`, /^text\/plain/],
		[`${metrics}/readyz?verbose`, /^text\/plain/],
		[`${metrics}/metrics`, /^text\/plain; version/],
		[`${status}/`, /^text\/html/],
		[`${status}/status.json`, /^application\/json/],
	] as const) {
		const got = await fetch(url);
		t.is(got.status, 200, url);
		t.regex(got.headers.get('content-type') ?? '', contentType);
		t.is(got.headers.get('cache-control'), 'no-store');
		t.is(got.headers.get('x-content-type-options'), 'nosniff');
		t.regex(got.headers.get('content-security-policy') ?? '', /^default-src 'none'; /);
		const head = await fetch(url, {method: 'HEAD'});
		t.is(head.status, 200);
		t.is(await head.text(), '');
		for (const init of [{method: 'POST', body: 'x'}, {method: 'DELETE'}, {method: 'OPTIONS'}]) {
			const refused = await fetch(url, init);
			t.is(refused.status, 405);
			t.is(refused.headers.get('allow'), 'GET, HEAD');
			t.is(await refused.text(), 'Only GET and HEAD are answered.\n');
		}
	}

	for (const url of [
		`${metrics}/`,
		`${metrics}/status.json`,
		`${status}/metrics`,
		`${status}/package.json`,
		`${status}/..%2f..%2fetc/passwd`,
		`${status}/constructor`,
		`${status}//`,
	]) {
		const absent = await fetch(url);
		t.is(absent.status, 404, url);
		t.regex(absent.headers.get('content-type') ?? '', /^text\/plain/);
	}
});

test('the status page answers only to addresses and localhost, so that no other site can have its name point here', async t => {
	const {metrics, status, statusPort} = await serve(t);
	for (const host of ['localhost', `localhost:${statusPort}`, 'LOCALHOST:1', '127.0.0.1', '[::1]:9810']) {
		t.is(await getAs(`${status}/`, host), 200, host);
	}

	for (const host of [
		'evil.example',
		`evil.example:${statusPort}`,
		'localhost.evil.example',
		'127.0.0.1.evil.example',
		'localhost:80:80',
	]) {
		t.is(await getAs(`${status}/status.json`, host), 403, host);
	}

	t.is(await getAs(`${metrics}/healthz`, 'pnx-volume.kube-system.svc'), 200);
});

test('the agent is ready when the driver is installed and the watch has reported lately; else the answer says what is missing', async t => {
	let snapshot = agentSnapshot([watchedVolume('a', 'dead')]);
	const {metrics} = await serve(t, () => snapshot);
	const ask = async (path: string) => {
		const response = await fetch(`${metrics}${path}`);
		return `${response.status} ${await response.text()}`;
	};

	t.is(await ask('/readyz'), '200 ok\n');
	snapshot = agentSnapshot([], {
		installation: undefined,
		report: undefined,
		problems: ['The plugin directory cannot be written to; mount it.'],
	});
	t.is(
		await ask('/readyz'),
		'503 The plugin directory cannot be written to; mount it.\nVersion 0.2.0 is not installed on this node yet; a version that was installed before keeps working.\nThe watch on the node has not reported yet.\n',
	);
	snapshot = agentSnapshot([], {report: {atMs: Date.now() - 100_000, version: '1', volumes: []}});
	t.regex(await ask('/readyz'), /^503 The newest report of the watch on the node is 10\d s old\.\n$/);
	t.is(await ask('/healthz'), '200 ok\n');
});

test('a page that cannot be made is an answer, and the server goes on', async t => {
	let isBroken = true;
	const {metrics, status} = await serve(t, () => {
		if (isBroken) {
			throw new Error('secret-detail');
		}

		return agentSnapshot([]);
	});
	for (const url of [`${status}/`, `${metrics}/readyz`, `${metrics}/metrics`]) {
		const failed = await fetch(url);
		t.is(failed.status, 500);
		t.notRegex(await failed.text(), /secret-detail/);
	}

	isBroken = false;
	t.is((await fetch(`${status}/`)).status, 200);
});

test('status.json has what the page shows: volumes with their figures, the problems and notices', async t => {
	const atMs = Date.now();
	let snapshot = agentSnapshot([], {
		report: {
			atMs: atMs - 4000,
			version: '1',
			volumes: [watchedVolume('a', 'healthy', {seconds: 1}), watchedVolume('b', 'gone')],
		},
	});
	const {status} = await serve(t, () => snapshot);
	const ask = async () => (await (await fetch(`${status}/status.json`)).json()) as StatusDocument;
	t.is((await ask()).volumes.find(({bucket}) => bucket === 'a')?.figures.readBytesPerSecond, undefined);
	snapshot = agentSnapshot([], {
		report: {atMs, version: '1', volumes: [watchedVolume('a', 'healthy', {seconds: 5}), watchedVolume('b', 'gone')]},
	});
	const {volumes, problems, nodeName} = await ask();
	t.is(nodeName, 'node-7.example.internal');
	t.deepEqual(problems, []);
	t.deepEqual(
		volumes.map(({bucket}) => bucket),
		['b', 'a'],
	);
	t.like(volumes[0], {health: 'gone', problems: ['nothing is mounted, as after a reboot; the next mount cleans up.']});
	t.like(volumes[1], {
		health: 'healthy',
		restartCount: 0,
		figures: {
			readBytesPerSecond: 3 * 2 ** 20,
			writtenBytesPerSecond: 2 ** 19,
			readsPerSecond: 25,
			writesPerSecond: 4,
			cacheHitShare: 0.986,
			oldestUploadSeconds: 42.5,
			uploadsPending: 2,
		},
	});
	t.is(
		(await ask()).volumes[1]?.figures.readBytesPerSecond,
		3 * 2 ** 20,
		'the same report again does not make the rate zero',
	);
});

test('clients that are many, slow, or send too much do not keep others out', async t => {
	const {status, statusPort} = await serve(t);
	const large = await fetch(status, {headers: {'x-large': 'x'.repeat(20_000)}});
	t.is(large.status, 431);

	// Each says half a request and waits; more of them than there are places.
	const sockets = Array.from({length: 80}, () => connect(statusPort, '127.0.0.1').on('error', () => undefined));
	t.teardown(() => sockets.forEach(socket => socket.destroy()));
	const closed = Promise.all(
		sockets.map(
			async socket =>
				new Promise(resolve => {
					socket.once('close', resolve).resume();
				}),
		),
	);
	sockets.forEach(socket => socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n'));
	await closed;
	t.is((await fetch(status)).status, 200);
});

test('a listen address is an address and a port, and a port that is taken is an error with a remedy', async t => {
	t.deepEqual(parseListenAddress('127.0.0.1:9810'), {host: '127.0.0.1', port: 9810});
	t.deepEqual(parseListenAddress('[::1]:0'), {host: '::1', port: 0});
	t.deepEqual(parseListenAddress(':9809'), {port: 9809});
	for (const text of ['', '9810', '127.0.0.1', '127.0.0.1:99999', 'a b:1', 'http://127.0.0.1:1']) {
		t.throws(() => parseListenAddress(text), {name: 'SyntaxError', message: /it must be an address and a port/});
	}

	const {statusPort} = await serve(t);
	await t.throwsAsync(
		AgentServer.start({
			metricsListen: '127.0.0.1:0',
			statusListen: `127.0.0.1:${statusPort}`,
			snapshot: () => agentSnapshot([]),
		}),
		{message: /Cannot listen at 127\.0\.0\.1:\d+: .*EADDRINUSE.*; stop what listens there, or choose another port/},
	);
});
