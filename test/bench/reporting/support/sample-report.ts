import type {ReportedSubject} from '../../../../bench/reporting/ratio.ts';
import type {Report} from '../../../../bench/reporting/report.ts';
import type {Row} from '../../../../bench/results.ts';
import type {Unit} from '../../../../bench/workloads/workload.ts';

export const subjects: readonly ReportedSubject[] = [
	{name: 'pnx-volume', version: '1', isPeer: false, waitsForS3: true},
	{name: 'pnx-volume journal', version: '1', isPeer: false, waitsForS3: false},
	{name: 's3fs', version: '1', isPeer: true, waitsForS3: true},
	{name: 'rclone', version: '1', isPeer: true, waitsForS3: false},
];

/** A row with the values of each subject, or why it has none. */
export const row = (
	name: string,
	unit: Unit,
	values: Readonly<Record<string, readonly number[] | string>>,
	bounds: Readonly<Record<string, number>> = {},
): Row => ({
	latencyMs: 20,
	workload: name,
	metric: {name, unit},
	stretch: 'returned',
	cells: Object.entries(values).map(([subject, outcome]) => ({
		subject,
		samples:
			typeof outcome === 'string'
				? []
				: outcome.map(value => ({
						value,
						cpuSeconds: 1.5,
						residentMebibytesPeak: 64,
						requests: 1234,
						sentBytes: 5e6,
						receivedBytes: 1e3,
						chain: 7,
					})),
		...(typeof outcome === 'string' ? {failed: outcome} : {}),
		...(bounds[subject] === undefined ? {} : {bound: bounds[subject]}),
	})),
});

export const sampleReport: Report = {
	startedAt: '2026-12-01 03:00 UTC',
	minutes: 5,
	machine: '2 x CPU',
	load: '0.1 before, 2.0 after',
	server: 'dev-server',
	commandLine: 'npm run bench',
	rounds: 3,
	subjects,
	notes: ['Without fio.'],
	ceilings: [{latencyMs: 20, stream: 'read', megabytesPerSecond: 500}],
	rows: [
		row('fast <&>', 'files/s', {'pnx-volume': [1500, 1600, 1400], s3fs: [10], rclone: [20]}),
		row('slow', 's', {'pnx-volume': [4], s3fs: [1], rclone: 'exit | status 1'}),
		{
			...row('stream', 'MB/s', {'pnx-volume': [400], s3fs: [250]}),
			metric: {name: 'stream', unit: 'MB/s', stream: 'read'},
		},
	],
	mounts: [{name: 'mount', unit: 's', value: 0.5, limit: 0.25}],
};
