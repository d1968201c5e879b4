import fs from 'node:fs/promises';
import path from 'node:path';
import {execa} from 'execa';
import type {Endpoint} from './server.ts';
import type {Measurement} from './workloads.ts';

const root = path.resolve(import.meta.dirname, '..');

/**
How long the kubelet waits for `mount` of a bucket that exists, by the driver of this checkout and by that of the
archive that was packaged from it.
*/
export const measureDrivers = async (server: Endpoint, temporary: string): Promise<Measurement[]> => {
	const {name, version} = JSON.parse(await fs.readFile(path.join(root, 'package.json'), 'utf8')) as {
		name: string;
		version: string;
	};
	const packaged = path.join(root, 'build', `${name}-${version}-linux-${process.arch}`);
	return [
		{
			name: 'mount of a ready bucket',
			unit: 's',
			value: await measureMount(path.join(root, 'driver/volume'), server, temporary),
			isHigherBetter: false,
			floor: 1.5,
		},
		{
			name: 'mount of a ready bucket, packaged',
			unit: 's',
			value: await measureMount(path.join(packaged, 'driver/volume'), server, temporary),
			isHigherBetter: false,
			floor: 1,
		},
		{
			name: 'init, packaged',
			unit: 'ms',
			value: await measureInit(path.join(packaged, 'driver/volume')),
			isHigherBetter: false,
			floor: 20,
		},
	];
};

/** The median of eleven. */
const measureInit = async (driver: string): Promise<number> => {
	const durations: number[] = [];
	for (let round = 0; round < 11; round++) {
		const startedAt = performance.now();
		await execa(driver, ['init'], {env: {PNX_VOLUME_LOG: '/dev/null'}, extendEnv: false, stdin: 'ignore'});
		durations.push(performance.now() - startedAt);
	}

	return durations.toSorted((a, b) => a - b)[5]!;
};

/** The median of five, each with a daemon of its own. */
const measureMount = async (driver: string, server: Endpoint, temporary: string): Promise<number> => {
	const env = {
		PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
		PNX_VOLUME_STATE_DIR: path.join(temporary, 'driver-state'),
		PNX_VOLUME_LOG: path.join(temporary, 'driver-log'),
		PNX_VOLUME_IDLE_MS: '0',
	};
	const encode = (text: string) => Buffer.from(text).toString('base64');
	const options = JSON.stringify({
		'kubernetes.io/fsType': 'fuse',
		'kubernetes.io/readwrite': 'rw',
		'kubernetes.io/pod.name': 'bench',
		'kubernetes.io/pod.namespace': 'bench',
		'kubernetes.io/pod.uid': 'bench',
		'kubernetes.io/pvOrVolumeName': 'v',
		'kubernetes.io/secret/access-key-id': encode(server.accessKeyId),
		'kubernetes.io/secret/secret-access-key': encode(server.secretAccessKey),
		name: 'bench-driver',
		endpoint: server.url,
		'path-style': 'true',
	});
	await fs.mkdir(env.PNX_VOLUME_STATE_DIR, {recursive: true, mode: 0o700});
	await fs.writeFile(
		path.join(env.PNX_VOLUME_STATE_DIR, 'policy.json'),
		'{"rules": [{"namespaces": ["*"], "withSecret": {"endpoints": ["http://127.0.0.1:*"]}}]}',
		{mode: 0o600},
	);
	const directory = path.join(temporary, 'pods/bench/volumes/pnx~volume/v');
	await fs.mkdir(directory, {recursive: true});
	const run = async (...argv: string[]) => {
		const {stdout} = await execa(driver, argv, {env, extendEnv: false, stdin: 'ignore'});
		if ((JSON.parse(stdout) as {status: string}).status !== 'Success') {
			throw new Error(`driver/volume ${argv[0]} answered ${stdout}`);
		}
	};

	const durations: number[] = [];
	for (let round = 0; round < 6; round++) {
		const startedAt = performance.now();
		await run('mount', directory, options);
		durations.push((performance.now() - startedAt) / 1000);
		await run('unmount', directory);
	}

	// The first one made the bucket.
	return durations.slice(1).toSorted((a, b) => a - b)[2]!;
};
