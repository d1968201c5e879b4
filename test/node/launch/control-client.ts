import {mkdtempSync, rmSync} from 'node:fs';
import {createServer, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {askMetrics, askStatus, askToEnd} from '../../../src/node/launch/control-client.ts';
import {createDeadline} from '../../../src/node/deadline.ts';

/** A Unix socket that answers each connection's first line as told. */
const listen = async (
	t: ExecutionContext,
	onRequest: (request: {request: string; timeoutMs?: number}, socket: Socket) => void,
): Promise<string> => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-control-'));
	const path = join(directory, 'control.sock');
	const sockets = new Set<Socket>();
	const server = createServer(socket => {
		sockets.add(socket);
		socket.on('error', () => undefined);
		socket.once('data', data => onRequest(JSON.parse(data.toString('utf8')) as {request: string}, socket));
	});
	t.teardown(() => {
		server.close();
		for (const socket of sockets) {
			socket.destroy();
		}

		rmSync(directory, {recursive: true, force: true});
	});
	await new Promise<void>(resolve => {
		server.listen(path, resolve);
	});
	return path;
};

test('askToEnd() tells the progress and returns what was left at the end', async t => {
	const path = await listen(t, ({request, timeoutMs}, socket) => {
		t.is(request, 'drain');
		t.true(timeoutMs! > 0 && timeoutMs! < 300_000);
		// Lines come in pieces, and replies of a newer daemon in between.
		socket.write('{"reply":"progress","dirtyBytes":10,"uploadsPending":2}\n{"reply":"pro');
		setTimeout(
			() =>
				socket.write(
					'gress","dirtyBytes":5,"uploadsPending":1}\n{"reply":"something new"}\nnot JSON\n{"reply":"done"}\n',
				),
			10,
		);
	});
	const seen: number[] = [];
	const outcome = await askToEnd(path, 'drain', createDeadline(300_000), ({dirtyBytes}) => {
		seen.push(dirtyBytes);
	});
	t.deepEqual(outcome, {outcome: 'done', dirtyBytes: 5});
	t.deepEqual(seen, [10, 5]);
});

test('askToEnd() tells a failure from a time-out, from a broken connection and from nobody', async t => {
	const failing = await listen(t, (_, socket) => socket.end('{"reply":"failed","message":"403"}\n'));
	t.deepEqual(await askToEnd(failing, 'drain', createDeadline(300_000)), {
		outcome: 'failed',
		message: '403',
		dirtyBytes: 0,
	});
	const silent = await listen(t, (_, socket) =>
		socket.write('{"reply":"progress","dirtyBytes":7,"uploadsPending":1}\n'),
	);
	t.deepEqual(await askToEnd(silent, 'drain', createDeadline(3000)), {outcome: 'timeout', dirtyBytes: 7});
	const dying = await listen(t, (_, socket) => socket.destroy());
	t.deepEqual(await askToEnd(dying, 'stop', createDeadline(300_000)), {outcome: 'unreachable'});
	t.deepEqual(await askToEnd('/no/such/socket', 'stop', createDeadline(300_000)), {outcome: 'unreachable'});
});

test('askMetrics() has no answer from a daemon that does not know the question, that answers nonsense, or that does not answer', async t => {
	for (const line of [
		'{"reply":"failed","message":"it must be \\"status\\", \\"drain\\" or \\"stop\\""}',
		'{"reply":"metrics","samples":{"counters":[{"name":1}],"gauges":[],"histograms":[]}}',
		'{"reply":"metrics"}',
	]) {
		const path = await listen(t, (_, socket) => socket.end(`${line}\n`));
		t.is(await askMetrics(path, createDeadline(300_000)), undefined, line);
	}

	const silent = await listen(t, () => undefined);
	t.is(await askMetrics(silent, createDeadline(50)), undefined);
});

test('askStatus() gives up on a daemon that does not answer, or that floods', async t => {
	const silent = await listen(t, () => undefined);
	t.is(await askStatus(silent, createDeadline(50)), undefined);
	const flooding = await listen(t, (_, socket) => socket.write('x'.repeat(2_000_000)));
	t.is(await askStatus(flooding, createDeadline(300_000)), undefined);
});
