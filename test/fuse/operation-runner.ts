import {constants} from 'node:os';
import test, {type ExecutionContext} from 'ava';
import {OperationRunner, type Operation} from '../../src/fuse/operation-runner.ts';
import {FsError} from '../../src/model/fs-error.ts';
import {StoreError} from '../../src/model/store-error.ts';

type Line = {level: string; message: string} & Record<string, unknown>;

const start = (t: ExecutionContext, options: {durationMsMax?: number; isEachLogged?: boolean} = {}) => {
	const lines: Line[] = [];
	const at = (level: string) => (fields: Record<string, unknown>, message: string) =>
		void lines.push({...fields, level, message});
	const log = {
		trace: at('trace'),
		debug: at('debug'),
		info: at('info'),
		warn: at('warn'),
		error: at('error'),
		fatal: at('fatal'),
	};
	const runner = new OperationRunner({
		log,
		isEachLogged: options.isEachLogged ?? false,
		durationMsMax: options.durationMsMax ?? 60_000,
	});
	t.teardown(() => runner.close());
	const run = async <T>(act: () => Promise<T>, details: Partial<Operation<T>> = {}): Promise<number | T> =>
		new Promise(resolve => {
			runner.run({name: 'test', subject: '/path', act, succeed: resolve, fail: resolve, ...details});
		});
	return {run, lines};
};

test('an operation is answered with its value', async t => {
	const {run, lines} = start(t);
	t.is(await run(async () => 'value'), 'value');
	t.deepEqual(lines, []);
});

test('an FsError becomes its errno; ordinary answers are logged at trace, failures at warn', async t => {
	const {run, lines} = start(t);
	for (const [errno, level] of [
		['ENOENT', 'trace'],
		['EEXIST', 'trace'],
		['ENODATA', 'trace'],
		['EIO', 'warn'],
		['ENOSPC', 'warn'],
		['ESTALE', 'warn'],
	] as const) {
		t.is(
			await run(async () => {
				throw new FsError(errno, 'why');
			}),
			-constants.errno[errno],
		);
		t.like(lines.pop(), {level, result: errno, op: 'test', subject: '/path'});
	}
});

test('a StoreError becomes the errno of its code', async t => {
	const {run, lines} = start(t);
	for (const [code, errno] of [
		['accessDenied', 'EACCES'],
		['preconditionFailed', 'ESTALE'],
		['throttled', 'EAGAIN'],
		['unavailable', 'EIO'],
		['tooLarge', 'EFBIG'],
	] as const) {
		t.is(
			await run(async () => {
				throw new StoreError(code, 'why');
			}),
			-constants.errno[errno],
		);
		t.like(lines.pop(), {level: 'warn', result: errno});
	}
});

test('anything else that is thrown is a bug: EIO, logged as an error', async t => {
	const {run, lines} = start(t);
	t.is(
		await run(async () => {
			throw new TypeError('undefined is not a function');
		}),
		-constants.errno.EIO,
	);
	t.like(lines[0], {level: 'error', message: 'operation met a bug'});
});

test('every operation is logged with its duration and result when that is asked for', async t => {
	const {run, lines} = start(t, {isEachLogged: true});
	await run(async () => 1);
	await Promise.resolve();
	t.like(lines[0], {level: 'debug', op: 'test', subject: '/path', result: 'ok'});
	t.is(typeof lines[0]?.['durationMs'], 'number');
});

test('an operation that changes nothing is given up when it takes too long, and its late value is handed over', async t => {
	const {run, lines} = start(t, {durationMsMax: 0});
	const {promise, resolve} = Promise.withResolvers<string>();
	const abandoned = new Promise<string>(take => {
		void run(async () => promise, {abandon: take}).then(result => {
			t.is(result, -constants.errno.EIO);
			resolve('late');
		});
	});
	t.is(await abandoned, 'late');
	t.like(lines[0], {level: 'warn', message: 'operation takes too long', isGivenUp: true});
});

test('an operation that changes something is only reported when it takes too long', async t => {
	const {run, lines} = start(t, {durationMsMax: 0});
	t.is(
		await run(
			async () =>
				new Promise<string>(resolve => {
					setTimeout(resolve, 2100, 'done');
				}),
		),
		'done',
	);
	t.is(lines.length, 1, 'Reported once');
	t.like(lines[0], {level: 'warn', isGivenUp: false});
});

test('an operation that is answered early is answered once, and what it brings later is discarded', async t => {
	const runner = new OperationRunner({
		log: {trace() {}, debug() {}, info() {}, warn() {}, error() {}, fatal() {}},
		isEachLogged: false,
		durationMsMax: 60_000,
	});
	t.teardown(() => runner.close());
	for (const way of ['discard', 'abandon'] as const) {
		const {promise, resolve} = Promise.withResolvers<string>();
		const answers: Array<string | number> = [];
		const discarded: string[] = [];
		const note = (answer: string | number): void => void answers.push(answer);
		const answerEarly = runner.run({
			name: 'test',
			subject: '/path',
			act: async () => promise,
			succeed: note,
			fail: note,
			[way]: (value: string) => void discarded.push(value),
		});
		answerEarly(-constants.errno.EINTR);
		answerEarly(-constants.errno.EINTR);
		resolve('late');
		await new Promise(resolveTurn => {
			setImmediate(resolveTurn);
		});
		answerEarly(-constants.errno.EINTR);
		t.deepEqual({answers, discarded}, {answers: [-constants.errno.EINTR], discarded: ['late']}, way);
	}

	t.is(runner.status().runningCount, 0);
});
