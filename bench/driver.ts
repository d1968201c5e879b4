import fs from 'node:fs/promises';
import path from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {execa} from 'execa';
import {readMountTable} from '../src/node/mounts/mount-table.ts';
import type {MountFigure} from './reporting/report.ts';
import {median} from './reporting/statistics.ts';
import type {Endpoint} from './server/s3-server.ts';

const root = path.resolve(import.meta.dirname, '..');
const callMs = 60_000;
const lingerMs = 5000;

/**
How long the kubelet waits for `mount` of a bucket that exists, by the driver of this checkout and by that of the
archive that was packaged from it, and with a daemon that still lingers.
*/
export const measureDrivers = async (server: Endpoint, temporary: string): Promise<MountFigure[]> => {
	const {name, version} = JSON.parse(await fs.readFile(path.join(root, 'package.json'), 'utf8')) as {
		name: string;
		version: string;
	};
	const checkout = path.join(root, 'driver/volume');
	const packaged = path.join(root, 'build', `${name}-${version}-linux-${process.arch}`, 'driver/volume');
	const mountBy = async (driver: string, idleMs: number): Promise<number> =>
		measureMount({driver, idleMs, server, temporary: await fs.mkdtemp(path.join(temporary, 'driver-'))});
	return [
		{name: 'mount of a ready bucket, checkout', unit: 's', value: await mountBy(checkout, 0), limit: 1.5},
		{name: 'mount of a ready bucket, packaged', unit: 's', value: await mountBy(packaged, 0), limit: 0.25},
		{
			name: 'mount while the daemon lingers, packaged',
			unit: 's',
			value: await mountBy(packaged, lingerMs),
			limit: 0.08,
		},
		{name: 'init, packaged', unit: 'ms', value: await measureInit(packaged), limit: 20},
	];
};

/** The median of eleven. */
const measureInit = async (driver: string): Promise<number> => {
	const durations: number[] = [];
	for (let round = 0; round < 11; round++) {
		const startedMs = performance.now();
		await execa(driver, ['init'], {
			env: {PNX_VOLUME_LOG: '/dev/null'},
			extendEnv: false,
			stdin: 'ignore',
			timeout: callMs,
		});
		durations.push(performance.now() - startedMs);
	}

	return median(durations)!; // Of eleven.
};

type MountSettings = {
	readonly driver: string;
	/** How long a daemon lingers; 0: each mount has one of its own. */
	readonly idleMs: number;
	readonly server: Endpoint;
	readonly temporary: string;
};

/** The median of five, in seconds; the first mount made the bucket, and does not count. */
const measureMount = async ({driver, idleMs, server, temporary}: MountSettings): Promise<number> => {
	const env = {
		PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
		PNX_VOLUME_STATE_DIR: path.join(temporary, 's'),
		PNX_VOLUME_RUN_DIR: path.join(temporary, 'r'),
		PNX_VOLUME_LOG: path.join(temporary, 'log'),
		PNX_VOLUME_IDLE_MS: String(idleMs),
	};
	await fs.mkdir(env.PNX_VOLUME_STATE_DIR, {mode: 0o700});
	await fs.writeFile(
		path.join(env.PNX_VOLUME_STATE_DIR, 'policy.json'),
		JSON.stringify({rules: [{namespaces: ['*'], withSecret: {endpoints: [server.url]}}]}),
		{mode: 0o600},
	);
	const directory = path.join(temporary, 'pods/bench/volumes/pnx~volume/v');
	await fs.mkdir(directory, {recursive: true});
	const run = async (...argv: string[]): Promise<void> => {
		const {stdout} = await execa(driver, argv, {
			env,
			extendEnv: false,
			stdin: 'ignore',
			timeout: callMs,
			reject: false,
		});
		if (!stdout.includes('"Success"')) {
			throw new Error(`driver/volume ${argv[0]} answered ${stdout}`);
		}
	};

	const durations: number[] = [];
	try {
		for (let round = 0; round < 6; round++) {
			const startedMs = performance.now();
			await run('mount', directory, callOptions(server));
			durations.push((performance.now() - startedMs) / 1000);
			await run('unmount', directory);
		}
	} finally {
		await run('unmount', directory).catch(() => undefined); // Where a round ended between the two.
		await untilUnmounted(temporary, idleMs + callMs);
	}

	return median(durations.slice(1))!; // Of five.
};

const callOptions = (server: Endpoint): string => {
	const encode = (text: string): string => Buffer.from(text).toString('base64');
	return JSON.stringify({
		'kubernetes.io/fsType': 'fuse',
		'kubernetes.io/readwrite': 'rw',
		'kubernetes.io/pod.name': 'bench',
		'kubernetes.io/pod.namespace': 'bench',
		'kubernetes.io/pod.uid': 'bench',
		'kubernetes.io/pvOrVolumeName': 'v',
		'kubernetes.io/secret/access-key-id': encode(server.accessKeyId),
		'kubernetes.io/secret/secret-access-key': encode(server.secretAccessKey),
		name: `pnx-bench-driver-${process.pid}`,
		endpoint: server.url,
		'path-style': 'true',
	});
};

/** A daemon that lingers ends with its mount. */
const untilUnmounted = async (directory: string, timeoutMs: number): Promise<void> => {
	const isMounted = (): boolean => readMountTable().some(mount => mount.path.startsWith(`${directory}/`));
	for (let waitedMs = 0; isMounted() && waitedMs < timeoutMs; waitedMs += 50) {
		await delay(50);
	}
};
