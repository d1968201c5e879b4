import {execFileSync} from 'node:child_process';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {createLogger, flushLog} from '../../src/observability/logger.ts';
import {createTestDirectory} from '../support/dev-server.ts';

const logTo = async (t: ExecutionContext, level: 'info' | 'trace' = 'info') => {
	const file = join(await createTestDirectory(t), 'log');
	const logger = createLogger({level, destination: file, isSynchronous: true, fields: {volume: 'v1', bucket: 'b'}});
	return {
		logger,
		read: async () =>
			(await readFile(file, 'utf8'))
				.trim()
				.split('\n')
				.map(line => JSON.parse(line) as Record<string, unknown>),
	};
};

test('a line has time, level by name, pid and the volume', async t => {
	const {logger, read} = await logTo(t);
	logger.info({op: 'open', path: 'a'}, 'operation');
	logger.debug('not logged');
	const lines = await read();
	t.is(lines.length, 1);
	t.like(lines[0], {
		level: 'info',
		pid: process.pid,
		volume: 'v1',
		bucket: 'b',
		op: 'open',
		path: 'a',
		msg: 'operation',
	});
	t.true(Math.abs(Date.parse(String(lines[0]?.['time'])) - Date.now()) < 60_000);
});

test('fields that are named like secrets are never written, at any depth', async t => {
	const {logger, read} = await logTo(t);
	logger.info(
		{
			secretAccessKey: 'S3CRET',
			request: {credentials: {accessKeyId: 'S3CRET'}, options: {'kubernetes.io/secret/key': 'S3CRET', name: 'bucket'}},
			headers: {authorization: 'S3CRET'},
		},
		'request',
	);
	const [line] = await read();
	t.notRegex(JSON.stringify(line), /S3CRET/);
	t.like(line, {request: {options: {name: 'bucket'}}});
});

test('an error is written with its message, its stack and its cause', async t => {
	const {logger, read} = await logTo(t);
	logger.warn({err: new Error('outer', {cause: new Error('inner')})}, 'failed');
	t.regex(JSON.stringify(await read()), /outer.*inner/);
});

test('what a library hangs onto an error, and what stands in lists, is looked through as well', async t => {
	const {logger, read} = await logTo(t);
	const err = Object.assign(new Error('outer', {cause: new Error('inner')}), {
		code: 'E1',
		$response: {headers: {authorization: 'S3CRET'}},
	});
	logger.warn({err, list: [{sessionToken: 'S3CRET', name: 'kept'}]}, 'failed');
	const [line] = await read();
	t.notRegex(JSON.stringify(line), /S3CRET/);
	t.like(line, {err: {type: 'Error', code: 'E1', message: 'outer: inner'}, list: [{name: 'kept'}]});
});

test('secrets are blotted out by their value, in every spelling, wherever they are', async t => {
	const file = join(await createTestDirectory(t), 'log');
	const secret = 'a"b\\c/d+e=f';
	const logger = createLogger({level: 'info', destination: file, isSynchronous: true, secrets: [secret, 'short']});
	logger.info(
		{
			path: secret,
			url: `https://x?y=${encodeURIComponent(secret)}`,
			err: new Error(`bad ${Buffer.from(secret).toString('base64')}`),
		},
		'a short line',
	);
	const text = await readFile(file, 'utf8');
	const line = JSON.parse(text) as Record<string, unknown>;
	t.like(line, {
		path: '[redacted]',
		url: 'https://x?y=[redacted]',
		err: {message: 'bad [redacted]'},
		msg: 'a short line',
	});
});

test("fields that change are those of the moment, and a line's own come before them", async t => {
	const file = join(await createTestDirectory(t), 'log');
	let pod = 'shop/web-1';
	const logger = createLogger({level: 'info', destination: file, isSynchronous: true, currentFields: () => ({pod})});
	logger.info('first');
	pod = 'shop/web-2';
	logger.info('second');
	logger.info({pod: 'shop/web-3'}, 'third');
	const lines = (await readFile(file, 'utf8'))
		.trim()
		.split('\n')
		.map(line => JSON.parse(line) as Record<string, unknown>);
	t.deepEqual(
		lines.map(line => line['pod']),
		['shop/web-1', 'shop/web-2', 'shop/web-3'],
	);
});

test('a circle among the fields is cut', async t => {
	const {logger, read} = await logTo(t);
	const circle: Record<string, unknown> = {name: 'x'};
	circle['self'] = circle;
	logger.info({circle}, 'round');
	t.is((await read()).length, 1);
});

test('flushLog() writes out what an asynchronous log holds, before the process ends', async t => {
	const directory = await createTestDirectory(t);
	const module = new URL('../../src/observability/logger.ts', import.meta.url).href;
	const script = `
		const {createLogger, flushLog} = await import(${JSON.stringify(module)});
		const logger = createLogger({level: 'info', destination: 1, isSynchronous: false});
		for (let index = 0; index < 2000; index++) logger.info({index}, 'line');
		flushLog(logger);
		process.exit(0);`;
	const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
		cwd: directory,
		encoding: 'utf8',
	});
	t.is(output.trim().split('\n').length, 2000);
	t.notThrows(() => flushLog(createLogger({level: 'info', destination: join(directory, 'log'), isSynchronous: true})));
});
