import {parseArgs} from 'node:util';
import {fullSizes, quickSizes, tinySizes, type Sizes} from './sizes.ts';

export type BenchOptions = {
	/** `undefined`: as far away as it is; no proxy can stand before it. */
	readonly latenciesMs: ReadonlyArray<number | undefined>;
	readonly rounds: number;
	/** Names of workloads; empty: all. */
	readonly only: readonly string[];
	/** Names of subjects; empty: all. */
	readonly subjects: readonly string[];
	readonly server: 'dev-server' | 'rgw' | {readonly url: string};
	readonly sizes: Sizes;
	/** No step of a workload takes longer. */
	readonly stepMs: number;
	/** No workload begins later. */
	readonly totalMs: number;
	/** Whether the report goes into docs/PERFORMANCE.md too. */
	readonly publish: boolean;
};

export const usage = `npm run bench -- [OPTION ...]

  --only NAME,...         these workloads; "mount" is the driver's mount()
  --subject NAME,...      these subjects: pnx-volume, pnx-volume-journal, pnx-volume-uniform, s3fs, rclone
  --latency MS,...        round trips to the server, each in its turn (default: 0,20)
  --rounds N              the figures are medians of so many (default: 3)
  --quick                 one round of small workloads at 20 ms, in five minutes
  --tiny                  the smallest workloads, to try the benchmark itself
  --size MIB              the large file (default: 1024)
  --bound SECONDS         no step of a workload takes longer (default: 300)
  --server dev-server     the server of this repository (default), or
  --server rgw            a Ceph RADOS Gateway from Debian's packages, in memory, or
  --endpoint URL          one that is there, with the credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; an
                          https:// one is measured as far away as it is, without counts
  --publish               put the report into docs/PERFORMANCE.md`;

const quickTotalMs = 240_000; // What has begun then goes on.

/** Reads the command line; fails with what is wrong about it. */
export const parseBenchOptions = (args: readonly string[]): BenchOptions | 'help' => {
	const {values} = parseArgs({
		args: [...args],
		options: {
			only: {type: 'string', default: ''},
			subject: {type: 'string', default: ''},
			latency: {type: 'string'},
			rounds: {type: 'string'},
			quick: {type: 'boolean', default: false},
			tiny: {type: 'boolean', default: false},
			size: {type: 'string'},
			bound: {type: 'string'},
			server: {type: 'string', default: 'dev-server'},
			endpoint: {type: 'string'},
			publish: {type: 'boolean', default: false},
			help: {type: 'boolean', default: false},
		},
	});
	if (values.help) {
		return 'help';
	}

	const {quick, tiny} = values;
	const sizes = tiny ? tinySizes : quick ? quickSizes : fullSizes;
	const server = values.endpoint === undefined ? parseServer(values.server) : {url: parseUrl(values.endpoint)};
	const isFar = typeof server === 'object' && server.url.startsWith('https:');
	if (isFar && values.latency !== undefined) {
		throw new RangeError('Cannot add latency before an https:// endpoint: leave out --latency');
	}

	const latencies = values.latency ?? (quick ? '20' : '0,20');
	return {
		latenciesMs: isFar ? [undefined] : parseList(latencies).map(text => parseNumber('--latency', text, 0, 10_000)),
		rounds: parseNumber('--rounds', values.rounds ?? (quick || tiny ? '1' : '3'), 1, 99),
		only: parseList(values.only),
		subjects: parseList(values.subject).map(name => name.replace(/^pnx-volume-/, 'pnx-volume ')),
		server,
		sizes:
			values.size === undefined ? sizes : {...sizes, largeMebibytes: parseNumber('--size', values.size, 1, 65_536)},
		stepMs: parseNumber('--bound', values.bound ?? (quick ? '20' : '300'), 1, 86_400) * 1000,
		totalMs: quick ? quickTotalMs : Number.POSITIVE_INFINITY,
		publish: values.publish,
	};
};

const parseList = (text: string): string[] =>
	text
		.split(',')
		.map(item => item.trim())
		.filter(item => item !== '');

const parseNumber = (option: string, text: string, min: number, max: number): number => {
	const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
	if (!(value >= min && value <= max)) {
		throw new RangeError(`${option} takes whole numbers from ${min} to ${max}: current value is "${text}"`);
	}

	return value;
};

const parseServer = (text: string): 'dev-server' | 'rgw' => {
	if (text !== 'dev-server' && text !== 'rgw') {
		throw new RangeError(`--server takes dev-server or rgw: current value is "${text}"`);
	}

	return text;
};

const parseUrl = (text: string): string => {
	const url = URL.canParse(text) ? new URL(text) : undefined;
	if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
		throw new RangeError(`--endpoint takes http://HOST[:PORT] or https://HOST[:PORT]: current value is "${text}"`);
	}

	return url.origin;
};
