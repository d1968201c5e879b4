/** docs/OPERATIONS.md explains every message that there is, and none that there is not. */
import {existsSync, readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import test from 'ava';
import {parse} from 'yaml';
import {decideMount} from '../../src/policy/decide-mount.ts';
import {parseNodePolicy} from '../../src/policy/node-policy.ts';
import {parseVolumeOptions} from '../../src/model/volume-options.ts';
import {planMemoryLimits} from '../../src/node/launch/daemon-limits.ts';
import {readNodeEnvironment} from '../../src/node/node-environment.ts';
import {collectChecks, collectCodes, collectMessages, collectReasons} from './support/collect-messages.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/OPERATIONS.md'), 'utf8');

/** The first cells of the tables of one chapter, or of a chapter with all that are below it. */
const firstCells = (title: string): string[] => {
	const start = new RegExp(`^(#+) ${title}$`, 'm').exec(page);
	const level = start?.[1]?.length ?? 0;
	const rest = page.slice((start?.index ?? 0) + (start?.[0].length ?? 0));
	const end = new RegExp(`^#{1,${level}} `, 'm').exec(rest)?.index;
	return rest
		.slice(0, end)
		.split('\n')
		.filter(line => /^\| (?!---)/.test(line))
		.map(line => line.split('|')[1]?.trim() ?? '');
};

/** What the page explains: the beginnings of messages, in code quotes. */
const patterns = firstCells('Every message').flatMap(cell =>
	[...cell.matchAll(/`([^`]+)`/g)].map(([, pattern = '']) => pattern),
);

/** What varies is `…` in both; so a message that begins with what varies is not just any message. */
const isExplained = (text: string): boolean => patterns.some(pattern => text.startsWith(pattern));

const isNamed = (cells: readonly string[], name: string): boolean =>
	cells.some(cell => cell.split(/,\s*/).includes(name));

test('every message that people can meet is explained', t => {
	const messages = collectMessages();
	t.true(messages.length > 200, 'The messages are found');
	const missing = messages.filter(({text}) => !isExplained(text));
	t.deepEqual(
		missing.map(({text, file}) => `${file}: ${text}`),
		[],
		'docs/OPERATIONS.md, chapter "Every message", says what to do about each',
	);
});

test('every message that is explained exists', t => {
	const messages = collectMessages();
	t.deepEqual(
		patterns.filter(pattern => pattern.replaceAll(/[^a-z]/gi, '').length < 5),
		[],
		'Each begins with enough words to be looked up',
	);
	t.deepEqual(
		patterns.filter(pattern => !messages.some(({text}) => text.startsWith(pattern))),
		[],
	);
	t.is(new Set(patterns).size, patterns.length, 'None is there twice');
});

test('a message that the page does not know is noticed', t => {
	t.false(isExplained('The moon is not full yet'));
	t.false(isExplained('Cannot reach the moon: … (…)'));
});

test('the reasons of Events, the codes of S3 and the checks of the doctor are those of the code', t => {
	for (const [title, names] of [
		['Events of the agent', collectReasons()],
		['What S3 refuses', collectCodes()],
		['What the doctor checks', collectChecks()],
	] as const) {
		const cells = firstCells(title).filter(cell => !cell.includes('`'));
		t.true(names.length > 5, title);
		t.deepEqual(
			names.filter(name => !isNamed(cells, name)),
			[],
			`${title}: missing in the page`,
		);
		const written = cells
			.flatMap(cell => cell.split(/,\s*/))
			.filter(name => !['check', 'code', 'message', 'reason'].includes(name));
		t.deepEqual(
			written.filter(name => !names.includes(name)),
			[],
			`${title}: gone from the code`,
		);
	}
});

test('every alert has its line, with a chapter to go on with', t => {
	const {spec} = parse(readFileSync(join(root, 'daemonset/monitoring/prometheus-rule.yaml'), 'utf8')) as {
		spec: {groups: Array<{rules: Array<{alert: string}>}>};
	};
	const alerts = spec.groups.flatMap(({rules}) => rules.map(({alert}) => alert));
	t.deepEqual(
		firstCells('Alerts').filter(cell => cell !== 'alert'),
		alerts,
	);
});

test('defaults of the node and limits of memory are those of the code', t => {
	const {stateDirectory, runDirectory, logPath, mountTimeoutMs, drainTimeoutMs, idleMs, launchWay} =
		readNodeEnvironment({}, '');
	const rows = [...page.matchAll(/^\| `(PNX_VOLUME_\w+)` \| `?([^`|]+?)`? \|/gm)].map(([, name, value]) => [
		name,
		value,
	]);
	t.deepEqual(Object.fromEntries(rows), {
		PNX_VOLUME_STATE_DIR: stateDirectory,
		PNX_VOLUME_RUN_DIR: runDirectory,
		PNX_VOLUME_LOG: logPath,
		PNX_VOLUME_LAUNCH: launchWay,
		PNX_VOLUME_MOUNT_TIMEOUT_MS: String(mountTimeoutMs),
		PNX_VOLUME_DRAIN_TIMEOUT_MS: String(drainTimeoutMs),
		PNX_VOLUME_IDLE_MS: String(idleMs),
	});
	const {highBytes, maxBytes} = planMemoryLimits({});
	const words = page.replaceAll(/\s+/g, ' ');
	t.true(words.includes(`\`MemoryHigh\` is \`memory\` + 512 MiB (${highBytes / 2 ** 20} MiB by default)`));
	t.true(words.includes(`\`MemoryMax\` is twice that (${(maxBytes / 2 ** 20).toLocaleString('en')} MiB)`));
});

test('the policy for emergencies allows nothing', t => {
	const [, text = ''] = /```json\n([^]*?)```/.exec(page) ?? [];
	const policy = parseNodePolicy(text);
	for (const hasSecret of [false, true]) {
		t.is(
			decideMount(policy, {namespace: 'web', options: parseVolumeOptions({name: 'web-files'}), hasSecret}).decision,
			'refused',
		);
	}
});

test('links of the page lead to chapters that there are', t => {
	for (const [, file = '', anchor = ''] of page.matchAll(/\]\((?!https?:)([^)#]*)#([^)]+)\)/g)) {
		const path = file === '' ? join(root, 'docs/OPERATIONS.md') : join(root, 'docs', file);
		t.true(existsSync(path), file);
		const anchors = [...readFileSync(path, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => toAnchor(title));
		t.true(anchors.includes(anchor), `${file}#${anchor} in ${dirname(path)}`);
	}
});

/** As GitHub makes it. */
const toAnchor = (title: string): string =>
	title
		.toLowerCase()
		.replaceAll(/[^\w\s-]/g, '')
		.trim()
		.replaceAll(/\s/g, '-');
