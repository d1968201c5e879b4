import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {WatchProcess, type WatchProcessOptions} from '../../src/agent/watch-process.ts';
import {createDeadline, waitUntil} from '../../src/node/deadline.ts';
import type {WatchMessage} from '../../src/healing/watch-message.ts';

type Started = {
	readonly watch: WatchProcess;
	readonly messages: WatchMessage[];
	readonly lines: Array<Record<string, unknown>>;
	readonly directory: string;
};

const report = String.raw`printf '{"type":"report","report":{"atMs":1,"version":"1.0.0","volumes":[]}}\n'`;
const notice = String.raw`printf '{"type":"notice","notice":{"atMs":1,"type":"Normal","reason":"VolumeHealed","message":"m","volumeId":"0","bucket":"b","pods":[]}}\n'`;

/** A watch that is a script of the shell: `$1` is a directory of the test. */
const start = (t: ExecutionContext, script: string, options: Partial<WatchProcessOptions> = {}): Started => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-watch-'));
	const messages: WatchMessage[] = [];
	const lines: Array<Record<string, unknown>> = [];
	const note = (fields: Record<string, unknown>) => lines.push(fields);
	const watch = new WatchProcess({
		commandLine: ['/bin/sh', '-c', script, 'sh', directory],
		variables: {PNX_VOLUME_LOG: '/dev/null'},
		onMessage: message => messages.push(message),
		log: {info: note, warn: note} as never,
		firstRestartMs: 20,
		...options,
	});
	t.teardown(async () => {
		await watch.close();
		rmSync(directory, {recursive: true, force: true});
	});
	return {watch, messages, lines, directory};
};

const until = async (t: ExecutionContext, condition: () => boolean): Promise<void> => {
	t.true(await waitUntil(condition, createDeadline(300_000)));
};

test('reports and notices of the watch are handed on, and its stderr goes to the log', async t => {
	const {watch, messages, lines} = start(
		t,
		`echo hello >&2; ${report}; ${notice}; echo '{"type":"other"}'; echo nonsense; cat`,
	);
	await until(t, () => messages.length === 2 && lines.length === 3);
	t.deepEqual(
		messages.map(({type}) => type),
		['report', 'notice'],
	);
	t.deepEqual(lines.map(({watch: said, line}) => said ?? line).sort(), ['hello', 'nonsense', '{"type":"other"}']);
	t.is(watch.problem, undefined);
});

test('the watch gets the variables of the node and nothing else of ours', async t => {
	const {messages, directory} = start(t, `env >"$1/env"; ${report}; cat`);
	await until(t, () => messages.length === 1);
	const names = readFileSync(join(directory, 'env'), 'utf8')
		.trim()
		.split('\n')
		.map(line => line.split('=')[0])
		.filter(name => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name!)); // split() gives one part at least.
	t.deepEqual(names.sort(), ['LC_ALL', 'PATH', 'PNX_VOLUME_LOG']);
});

test('a watch that ends is started again and again, with what it said last as the problem, until it reports', async t => {
	const {watch, messages, lines} = start(
		t,
		`echo x >>"$1/starts"; [ "$(wc -l <"$1/starts")" -gt 3 ] || { echo "no such command" >&2; exit 3; }; ${report}; cat`,
	);
	await until(t, () => watch.problem !== undefined);
	t.regex(
		String(watch.problem),
		/^The watch of this node does not run, so nothing is healed .*: it ended with exit status 3: no such command$/,
	);
	await until(t, () => messages.length === 1);
	t.is(watch.problem, undefined);
	t.deepEqual(
		lines.flatMap(({restartMs}) => restartMs ?? []),
		[20, 40, 80],
	);
});

test('a missing program is a problem that names it', async t => {
	const {watch} = start(t, '', {commandLine: ['/no/such/program', 'watch']});
	await until(t, () => watch.problem !== undefined);
	t.regex(String(watch.problem), /ENOENT/);
});

test('a watch that says nothing for too long is killed and started again', async t => {
	const {messages, lines, directory} = start(
		t,
		`trap "" TERM; if [ -e "$1/silent" ]; then ${report}; cat; else >"$1/silent"; exec sleep 600; fi`,
		{silenceMsMax: 300},
	);
	await until(t, () => messages.length === 1);
	t.true(existsSync(join(directory, 'silent')));
	t.deepEqual(
		lines.flatMap(({reason}) => reason ?? []),
		['it ended with SIGKILL: killed by the agent, because it had reported nothing for 1 s'],
	);
});

test('closing ends the watch by the end of its input', async t => {
	const {watch, messages, directory} = start(t, `${report}; cat; echo ended >"$1/ended"`);
	await until(t, () => messages.length === 1);
	await watch.close();
	t.is(readFileSync(join(directory, 'ended'), 'utf8'), 'ended\n');
	t.is(watch.problem, undefined);
});
