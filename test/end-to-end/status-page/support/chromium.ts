import {execFile} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {inflateSync} from 'node:zlib';
import type {ExecutionContext} from 'ava';
import {type Need} from '../../../support/needs.ts';
import {findProgram} from '../../../support/find-program.ts';

const run = promisify(execFile);

type Visit = {
	/** The DOM as the browser has it, as HTML. */
	readonly dom: string;
	/** Addresses that the page made the browser ask for, and names that it looked up for it. */
	readonly requests: readonly string[];
	/** What the page's console said: errors and violations of its policy. */
	readonly console: readonly string[];
};

/** Where Debian's chromium is. */
const chromiumPath = findProgram('chromium');

export const chromium: Need = {
	what: 'chromium',
	missing: chromiumPath === undefined ? 'there is no chromium; .ci/setup-browser installs it' : undefined,
};

/** Names are not resolved: nothing leaves this machine, whatever a page or the browser itself would like. */
const flagsOfAll = [
	'--headless',
	'--no-sandbox',
	'--disable-gpu',
	'--disable-dev-shm-usage',
	'--disable-quic',
	'--no-first-run',
	'--disable-background-networking',
	'--disable-component-update',
	'--disable-sync',
	'--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

/** Opens a page in a fresh headless browser and tells what happened. */
export const visit = async (t: ExecutionContext, url: string): Promise<Visit> => {
	const directory = createProfile(t);
	const netLog = join(directory, 'net.json');
	const {stdout, stderr} = await run(
		chromiumPath ?? 'chromium',
		[
			...flagsOfAll,
			`--user-data-dir=${join(directory, 'profile')}`,
			'--enable-logging=stderr',
			'--v=0',
			`--log-net-log=${netLog}`,
			'--dump-dom',
			url,
		],
		{maxBuffer: 2 ** 26, timeout: 300_000, env: {...process.env, HOME: directory}},
	);
	return {
		dom: stdout,
		requests: readRequests(netLog),
		console: stderr.split('\n').filter(line => line.includes(':CONSOLE')),
	};
};

/** The colour of the page's top left corner, as a screenshot shows it: `#rrggbb`. */
export const cornerColour = async (
	t: ExecutionContext,
	url: string,
	flags: readonly string[] = [],
): Promise<string> => {
	const directory = createProfile(t);
	const file = join(directory, 'page.png');
	await run(
		chromiumPath ?? 'chromium',
		[
			...flagsOfAll,
			`--user-data-dir=${join(directory, 'profile')}`,
			...flags,
			'--window-size=800,600',
			`--screenshot=${file}`,
			url,
		],
		{timeout: 300_000, env: {...process.env, HOME: directory}},
	);
	return `#${firstPixel(readFileSync(file)).toString('hex')}`;
};

const createProfile = (t: ExecutionContext): string => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-browser-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	return directory;
};

/**
The first pixel of a PNG of 8 bits a channel: every one of its filters leaves that one as it is, behind the byte
that names the filter.
*/
const firstPixel = (png: Buffer): Buffer => {
	const parts: Buffer[] = [];
	for (let offset = 8; offset < png.length; ) {
		const bytes = png.readUInt32BE(offset);
		if (png.toString('latin1', offset + 4, offset + 8) === 'IDAT') {
			parts.push(png.subarray(offset + 8, offset + 8 + bytes));
		}

		offset += bytes + 12;
	}

	return inflateSync(Buffer.concat(parts)).subarray(1, 4);
};

/** What the browser asks for on its own account, and what such a name is mapped to. */
const browserHost = /~notfound|(?:^|[./])(?:google|googleapis|gvt1)\.com(?:[:/]|$)/;

/** The end of the log is missing when the browser ended before it was written; what is there is looked at as text. */
const readRequests = (netLog: string): string[] => {
	const text = readFileSync(netLog, 'utf8');
	return [...new Set([...text.matchAll(/"(?:url|host)":"([^"]+)"/g)].map(match => match[1] ?? ''))].filter(
		url => !browserHost.test(url),
	);
};
