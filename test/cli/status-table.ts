import test from 'ava';
import {formatStatus, type StatusRow} from '../../src/cli/status-table.ts';
import type {VolumeReport} from '../../src/node/volumes/list-volumes.ts';
import type {VolumeStatistics} from '../../src/node/volumes/volume-statistics.ts';

const report: VolumeReport = {
	volumeId: '0123456789abcdef',
	bucket: 'media',
	prefix: '',
	directories: [],
	health: 'healthy',
	journalBytes: 0,
};
const nothing: VolumeStatistics = {
	readBytesPerSecond: undefined,
	writtenBytesPerSecond: undefined,
	readsPerSecond: undefined,
	writesPerSecond: undefined,
	cacheBytes: undefined,
	cacheHitShare: undefined,
	dirtyBytes: undefined,
	uploadsPending: undefined,
	oldestUploadSeconds: undefined,
	residentBytes: undefined,
};
const fileSystem = {
	openHandles: 0,
	dirtyBytes: 0,
	uploadsPending: 0,
	uploadsFailed: 1,
	conflicts: 0,
	cacheBytes: 0,
	stagingBytes: 0,
};
const daemon = {
	volumeId: report.volumeId,
	pid: 7,
	version: '0.2.0',
	startedAtMs: 0,
	bucket: 'media',
	prefix: '',
	mountPoint: '/m',
	residentBytes: 1,
	fileSystem,
};

const format = (rows: readonly StatusRow[], widthMax?: number) =>
	formatStatus(rows, {stateDirectory: '/state', ...(widthMax === undefined ? {} : {widthMax})});

test("formatStatus() gives each pod of a volume a line, and the volume's numbers once", t => {
	const figures: VolumeStatistics = {
		...nothing,
		readBytesPerSecond: 12_898_533.7,
		writtenBytesPerSecond: 0,
		cacheBytes: 1.4 * 2 ** 30,
		cacheHitShare: 0.986,
		dirtyBytes: 2048,
		uploadsPending: 3,
		oldestUploadSeconds: 42.9,
	};
	const volume: VolumeReport = {
		...report,
		prefix: '2024',
		daemonPid: 7,
		daemon,
		launch: {way: 'systemd', home: '/opt/pnx-volume/0.2.0', version: '0.2.0'},
		directories: [
			{path: '/pods/a', name: 'web-1', namespace: 'shop', isMounted: true},
			{path: '/pods/b', isMounted: false},
		],
	};
	t.is(
		format([
			{volume, figures},
			{volume: {...report, bucket: 'b', health: 'dead'}, figures: nothing},
		])
			.split('\n')
			.slice(0, 4)
			.join('\n'),
		[
			'VOLUME      PODS                   HEALTH   READ/S  WRITE/S  CACHE     DIRTY  FILES  AGE  DAEMON',
			'media/2024  shop/web-1             healthy  12M     0        1.4G 98%  2.0K   3      42s  7 0.2.0 systemd',
			'            /pods/b (not mounted)',
			'b           -                      dead     -       -        -         ?      ?      -    -',
		].join('\n'),
	);
});

test("formatStatus() fits usual names into 120 columns, cuts longer ones to a terminal's width, and never a number", t => {
	const figures: VolumeStatistics = {
		...nothing,
		readBytesPerSecond: 1023 * 1024,
		writtenBytesPerSecond: 999 * 2 ** 20,
		cacheBytes: 1023 * 2 ** 20,
		cacheHitShare: 1,
		dirtyBytes: 1023 * 2 ** 30,
		uploadsPending: 99_999,
		oldestUploadSeconds: 59 * 60,
	};
	const of = (bucket: string, name: string): StatusRow => ({
		figures,
		volume: {
			...report,
			bucket,
			daemonPid: 4_194_304,
			daemon,
			launch: {way: 'systemd', home: '/', version: '0.2.0'},
			directories: [{path: '/p', namespace: 'default', name, isMounted: true}],
		},
	});
	t.true(
		Math.max(
			...format([of('web-media', 'web-7d4b9c6f5-x2x4q')])
				.split('\n')
				.map(line => line.length),
		) <= 120,
	);

	const long = format(
		[
			of(
				'a-bucket-with-a-name-of-sixty-three-characters-as-s3-allows-them',
				'a-deployment-with-quite-a-name-7d4b9c6f5-x2x4q',
			),
		],
		120,
	).split('\n');
	t.is(Math.max(...long.map(line => line.length)), 120);
	t.regex(
		long[1] ?? '',
		/^a-b\S*…\S+hem {2}defa\S*…\S*x2x4q {2}healthy {2}1023K {3}999M {5}1023M 100% {2}1023G {2}99999 {2}59m {2}4194304 0\.2\.0 systemd$/,
	);
	const narrow = format([of('web-media', 'web-7d4b9c6f5-x2x4q')], 40).split('\n');
	t.regex(narrow[1] ?? '', /^web…edia {2}def…2x4q {2}healthy {2}1023K .* 4194304 0\.2\.0 systemd$/);
});

for (const [health, message] of [
	['changing', /^media\/2024: its daemon is being started/m],
	['hanging', /^media\/2024: the daemon \(pid 7\) does not answer/m],
	['dead', /^media\/2024: the daemon is gone, so every use of the directory fails/m],
	['unmounted', /^media\/2024: a journal of 5 bytes waits for the next mount/m],
	['gone', /^media\/2024: nothing is mounted, as after a reboot/m],
] as const) {
	test(`formatStatus() says what to do about a volume that is ${health}`, t => {
		t.regex(
			format([{volume: {...report, prefix: '2024', health, journalBytes: 5, daemonPid: 7}, figures: nothing}]),
			message,
		);
	});
}

test("formatStatus() says of pods' volumes that they are healed, and of those by hand what to do by hand", t => {
	for (const [kind, hanging, dead] of [
		['pods', /"pnx-volume heal" does so at once/, /"pnx-volume heal" does so at once/],
		['directory', /end it with kill -9, unmount and mount again/, /unmount it and mount it again/],
	] as const) {
		t.regex(format([{volume: {...report, kind, health: 'hanging', daemonPid: 7}, figures: nothing}]), hanging);
		t.regex(format([{volume: {...report, kind, health: 'dead'}, figures: nothing}]), dead);
	}
});

test('formatStatus() tells the newest error of a volume, and where refused bytes are kept', t => {
	const failing = {...daemon, fileSystem: {...fileSystem, lastError: {atMs: 0, message: 'access denied'}}};
	const text = format([
		{
			volume: {...report, health: 'failing', daemon: failing, refused: {directory: '/state/failed', bytes: 1024}},
			figures: nothing,
		},
	]);
	t.regex(text, /^media: 1970-01-01T00:00:00\.000Z access denied$/m);
	t.regex(
		text,
		/^media: 1 KiB that S3 refused for good, or that a loss of power may have damaged, are kept in \/state\/failed; save what you need and delete it\.$/m,
	);
});

test('formatStatus() lets no name move the cursor or colour the screen', t => {
	const text = format([
		{
			volume: {
				...report,
				prefix: 'a\u001B[2J\u009B1m\u202E',
				directories: [{path: '/p', namespace: 'x', name: '\r\n\u0007', isMounted: true}],
			},
			figures: nothing,
		},
	]);
	t.regex(text, /^media\/a\?\[2J\?1m\? {2}x\/\?\?\? /m);
});

test('formatStatus() says when nothing is mounted', t => {
	t.is(format([]), 'Nothing is mounted on this node (state directory /state).\n');
});
