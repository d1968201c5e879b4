import test from 'ava';
import {compare} from '../../../bench/reporting/ratio.ts';
import {row, subjects} from './support/sample-report.ts';

test('the ratio is that to the best peer, and larger is better for rates and for times', t => {
	const rate = row('read', 'files/s', {'pnx-volume': [30], s3fs: [10], rclone: [20]});
	t.deepEqual(compare(rate, 'pnx-volume', subjects), {ratio: 1.5, peer: 'rclone', isAtLeast: false});
	const time = row('list', 's', {'pnx-volume': [3], s3fs: [6], rclone: [12]});
	t.deepEqual(compare(time, 'pnx-volume', subjects), {ratio: 2, peer: 's3fs', isAtLeast: false});
});

test('who waits for S3 is compared with peers that wait, until S3 has everything with all', t => {
	const values = {'pnx-volume': [20], 'pnx-volume journal': [200], s3fs: [10], rclone: [100]};
	const write = {
		...row('create', 'files/s', values),
		metric: {name: 'create', unit: 'files/s', isWrite: true},
	} as const;
	t.like(compare(write, 'pnx-volume', subjects), {ratio: 2, peer: 's3fs'});
	t.like(compare(write, 'pnx-volume journal', subjects), {ratio: 2, peer: 'rclone'});
	const uploaded = {...write, stretch: 'uploaded'} as const;
	t.like(compare(uploaded, 'pnx-volume', subjects), {ratio: 0.2, peer: 'rclone'});
});

test('where no peer comes to an end, the ratio is to the bound at least', t => {
	const time = row('tar', 's', {'pnx-volume': [30], s3fs: 'did not end', rclone: 'cannot mount'}, {s3fs: 300});
	t.deepEqual(compare(time, 'pnx-volume', subjects), {ratio: 10, peer: 's3fs', isAtLeast: true});
	const one = row('tar', 's', {'pnx-volume': [30], s3fs: 'did not end', rclone: [60]}, {s3fs: 300});
	t.deepEqual(compare(one, 'pnx-volume', subjects), {ratio: 2, peer: 'rclone', isAtLeast: false});
});

test('peers, failures and lonely figures have no ratio', t => {
	const lonely = row('tar', 's', {'pnx-volume': [30], 'pnx-volume journal': 'failed', s3fs: 'cannot mount'});
	t.is(compare(lonely, 'pnx-volume', subjects), undefined);
	t.is(compare(lonely, 'pnx-volume journal', subjects), undefined);
	t.is(compare(lonely, 's3fs', subjects), undefined);
});
