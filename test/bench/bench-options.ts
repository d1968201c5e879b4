import test from 'ava';
import {parseBenchOptions} from '../../bench/bench-options.ts';
import {fullSizes, quickSizes} from '../../bench/sizes.ts';

test('without options the whole benchmark runs', t => {
	t.deepEqual(parseBenchOptions([]), {
		latenciesMs: [0, 20],
		rounds: 3,
		only: [],
		subjects: [],
		server: 'dev-server',
		sizes: fullSizes,
		stepMs: 300_000,
		totalMs: Number.POSITIVE_INFINITY,
		publish: false,
	});
});

test('--quick takes small sizes, one round and five minutes, and other options go before it', t => {
	t.like(parseBenchOptions(['--quick']), {latenciesMs: [20], rounds: 1, sizes: quickSizes, totalMs: 240_000});
	t.like(parseBenchOptions(['--quick', '--latency', '5,0', '--rounds', '2', '--size', '64']), {
		latenciesMs: [5, 0],
		rounds: 2,
		sizes: {...quickSizes, largeMebibytes: 64},
	});
});

test('names are lists, and a subject with options is written with hyphens', t => {
	t.like(parseBenchOptions(['--only', 'tar, git,', '--subject', 'pnx-volume-journal,rclone']), {
		only: ['tar', 'git'],
		subjects: ['pnx-volume journal', 'rclone'],
	});
});

test('no proxy stands before an https:// endpoint', t => {
	t.like(parseBenchOptions(['--endpoint', 'https://s3.example/']), {
		server: {url: 'https://s3.example'},
		latenciesMs: [undefined],
	});
	t.like(parseBenchOptions(['--endpoint', 'http://minio:9000']), {latenciesMs: [0, 20]});
	t.throws(() => parseBenchOptions(['--endpoint', 'https://s3.example', '--latency', '20']), {message: /leave out/});
});

for (const [args, message] of [
	[['--rounds', '0'], /--rounds takes whole numbers from 1 to 99: current value is "0"/],
	[['--latency', '-1'], /argument is ambiguous/],
	[['--latency', '2.5'], /--latency takes whole numbers/],
	[['--server', 'minio'], /--server takes dev-server or rgw/],
	[['--endpoint', 'minio:9000'], /--endpoint takes http:/],
	[['--fast'], /Unknown option '--fast'/],
] as const) {
	test(`${args.join(' ')} is refused`, t => {
		t.throws(() => parseBenchOptions(args), {message});
	});
}
