import {Agent, createServer, request as sendRequest, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import {text} from 'node:stream/consumers';
import test, {type ExecutionContext} from 'ava';
import {startDelayProxy, type DelayProxy} from '../../../bench/server/delay-proxy.ts';

/** A server that answers when `count` requests wait, so that these overlap whatever the machine does. */
const startProxy = async (
	t: ExecutionContext,
	latencyMs: number,
): Promise<DelayProxy & {setCount(count: number): void}> => {
	let count = 1;
	let waiting: ServerResponse[] = [];
	const server = createServer((request, response) => {
		void text(request).then(body => {
			waiting.push(response);
			response.setHeader('X-Length', body.length);
			if (waiting.length >= count) {
				for (const each of waiting) {
					each.end(request.method === 'HEAD' ? undefined : 'answer');
				}

				waiting = [];
			}
		});
	});
	await new Promise<void>(resolve => {
		server.listen(0, '127.0.0.1', resolve);
	});
	const proxy = await startDelayProxy({host: '127.0.0.1', port: (server.address() as AddressInfo).port, latencyMs});
	t.teardown(async () => {
		await proxy.close();
		server.closeAllConnections();
		server.close();
	});
	return {
		...proxy,
		setCount(wanted) {
			count = wanted;
		},
	};
};

const agent = new Agent({keepAlive: true});
test.after.always(() => agent.destroy());

type Request = {readonly method?: string; readonly body?: string; readonly headers?: Record<string, string>};

const ask = async (port: number, {method = 'GET', body, headers = {}}: Request = {}): Promise<string> =>
	new Promise((resolve, reject) => {
		const request = sendRequest({host: '127.0.0.1', port, method, agent, headers}, response => {
			text(response).then(answer => resolve(`${answer} ${response.headers['x-length'] as string}`), reject);
		});
		request.on('error', reject);
		if (headers['Expect'] === undefined) {
			request.end(body);
		} else {
			request.flushHeaders();
			request.on('continue', () => request.end(body));
		}
	});

test('requests one after the other are a chain, and those at the same time are not', async t => {
	const proxy = await startProxy(t, 0);
	for (let index = 0; index < 3; index++) {
		t.is(await ask(proxy.port), 'answer 0');
	}

	t.like(proxy.meter.read(), {requests: 3, chain: 3, writes: 0});
	proxy.meter.reset();
	proxy.setCount(5);
	await Promise.all(Array.from({length: 5}, async () => ask(proxy.port)));
	t.like(proxy.meter.read(), {requests: 5, chain: 1});
});

test('bodies pass unchanged, and every kind of answer ends its request', async t => {
	const proxy = await startProxy(t, 0);
	const body = 'x'.repeat(1_000_000);
	t.is(await ask(proxy.port, {method: 'PUT', body}), `answer ${body.length}`);
	t.is(await ask(proxy.port, {method: 'HEAD'}), ' 0');
	const expecting = {Expect: '100-continue', 'Content-Length': '4'};
	t.is(await ask(proxy.port, {method: 'PUT', body: 'body', headers: expecting}), 'answer 4');
	t.is(await ask(proxy.port, {method: 'POST', body: 'chunks', headers: {'Transfer-Encoding': 'chunked'}}), 'answer 6');
	const counted = proxy.meter.read();
	t.like(counted, {requests: 4, chain: 4, writes: 3, openWrites: 0});
	t.true(counted.sentBytes > body.length && counted.sentBytes < body.length + 2000, `${counted.sentBytes} bytes`);
	t.true(counted.receivedBytes > 0 && counted.receivedBytes < 2000);
});

test('an answer takes the latency at least, and a new connection takes it once more', async t => {
	const latencyMs = 40;
	const proxy = await startProxy(t, latencyMs);
	for (const roundTrips of [2, 1]) {
		const startedMs = performance.now();
		t.is(await ask(proxy.port), 'answer 0');
		const tookMs = performance.now() - startedMs;
		t.true(tookMs >= roundTrips * latencyMs - 1, `${tookMs} ms for ${roundTrips} round trips`);
	}
});
