/**
`npm run bench -- [--size MiB] [--files COUNT] [--peer s3fs|rclone|none]`

Runs the workloads on pnx-volume and on a peer, in turn, on one S3 server on this machine, and prints every figure
beside the peer's, the ratio, and the floor that we promise. It judges nothing: machines are shared and noisy.
*/
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {parseArgs} from 'node:util';
import {execa} from 'execa';
import {parseVolumeOptions} from '../src/model/volume-options.ts';
import {provisionBucket} from '../src/store/provision-bucket.ts';
import {measureDrivers} from './driver.ts';
import {type Endpoint, fillBucket, openBucket, startServer} from './server.ts';
import {type Kind, type Mounted, mountSubject} from './subjects.ts';
import {type Measurement, listLarge, workloads} from './workloads.ts';

const {values} = parseArgs({
	options: {
		size: {type: 'string', default: '1024'},
		files: {type: 'string', default: '500'},
		peer: {type: 'string', default: 's3fs'},
		entries: {type: 'string', default: '10000'},
	},
});
const size = {largeMebibytes: Number(values.size), smallFileCount: Number(values.files)};
const temporary = await fs.mkdtemp(path.join(os.tmpdir(), 'pnx-volume-bench-'));
const server = await startServer(path.join(temporary, 's3'));

/** A mount that can be made cold: unmounted and mounted again with nothing cached. */
class ColdMount {
	readonly #kind: Kind;
	readonly #bucket: string;
	#mounted: Mounted | undefined;
	residentMebibytesPeak = 0;
	cpuSeconds = 0;

	constructor(kind: Kind, bucket: string) {
		this.#kind = kind;
		this.#bucket = bucket;
	}

	async mount(): Promise<string> {
		this.#mounted = await mountSubject(this.#kind, server, this.#bucket, temporary);
		return this.#mounted.directory;
	}

	async unmount(): Promise<void> {
		if (this.#mounted !== undefined) {
			this.residentMebibytesPeak = Math.max(this.residentMebibytesPeak, await this.#mounted.residentMebibytesPeak());
			this.cpuSeconds += await this.#mounted.cpuSeconds();
			await this.#mounted.unmount();
			this.#mounted = undefined;
		}
	}
}

const measure = async (kind: Kind, endpoint: Endpoint): Promise<Measurement[]> => {
	const bucket = `bench-${kind.replace(' ', '-')}-${Date.now()}`;
	const credentials = {accessKeyId: endpoint.accessKeyId, secretAccessKey: endpoint.secretAccessKey};
	await provisionBucket({
		options: parseVolumeOptions({name: bucket, endpoint: endpoint.url, 'path-style': 'true', versioning: 'false'}),
		credentials,
	});
	const mount = new ColdMount(kind, bucket);
	const measurements: Measurement[] = [];
	try {
		const directory = await mount.mount();
		const subject = {
			name: kind,
			directory,
			async makeCold() {
				await mount.unmount();
				await fs.writeFile('/proc/sys/vm/drop_caches', '3');
				await mount.mount();
			},
		};
		if (kind === 'pnx-volume uniform') {
			const store = openBucket(endpoint, bucket);
			await fillBucket(store, 'many/', Number(values.entries));
			await store.close();
			measurements.push(...(await listLarge({...subject, directory: `${directory}/many`}, Number(values.entries))));
		} else {
			for (const workload of workloads) {
				measurements.push(...(await workload.run(subject, size)));
			}
		}
	} finally {
		await mount.unmount();
	}

	const isUniform = kind === 'pnx-volume uniform';
	return [
		...measurements,
		...(isUniform ? [] : [{name: 'CPU of the daemon', unit: 's', value: mount.cpuSeconds, isHigherBetter: false}]),
		{
			name: `peak RSS of the daemon${isUniform ? ', uniform' : ''}`,
			unit: 'MiB',
			value: mount.residentMebibytesPeak,
			isHigherBetter: false,
			floor: 300,
		},
	];
};

try {
	await execa('sync');
	const ours = [
		...(await measure('pnx-volume', server)),
		...(await measure('pnx-volume uniform', server)),
		...(await measureDrivers(server, temporary)),
	];
	const peers = values.peer === 'none' ? [] : await measure(values.peer as Kind, server);
	print(ours, peers);
} finally {
	await server.stop();
	await fs.rm(temporary, {recursive: true, force: true});
}

function print(ours: readonly Measurement[], peers: readonly Measurement[]): void {
	console.log(
		`${'workload'.padEnd(38)} ${'pnx-volume'.padStart(12)} ${values.peer.padStart(12)} ${'ratio'.padStart(7)}  floor`,
	);
	for (const {name, unit, value, isHigherBetter, floor} of ours) {
		const peer = peers.find(candidate => candidate.name === name)?.value;
		const ratio = peer === undefined ? '' : `${(isHigherBetter ? value / peer : peer / value).toFixed(2)}x`;
		const promise =
			floor === undefined
				? ''
				: `${isHigherBetter ? '>=' : '<='} ${floor} ${unit}${(isHigherBetter ? value >= floor : value <= floor) ? '' : '  MISSED'}`;
		console.log(
			`${name.padEnd(38)} ${format(value, unit).padStart(12)} ${(peer === undefined ? '' : format(peer, unit)).padStart(12)} ${ratio.padStart(7)}  ${promise}`,
		);
	}
}

function format(value: number, unit: string): string {
	return `${value >= 100 ? value.toFixed(0) : value.toFixed(2)} ${unit}`;
}
