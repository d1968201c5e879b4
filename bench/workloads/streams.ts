import type {Workload} from './workload.ts';

const megabytes = (mebibytes: number): number => mebibytes * 1.048_576;

export const seqwrite: Workload = {
	name: 'seqwrite',
	what: 'one large file written from start to end, with fsync()',
	role: 'writes',
	metrics: () => [{name: 'seq_write', unit: 'MB/s', isWrite: true, stream: 'write'}],
	async run({directory, sizes, measure}) {
		const count = sizes.largeMebibytes;
		await measure('seq_write', `dd if=/dev/zero of=${directory}/w bs=1M count=${count} conv=fsync`, {
			amount: megabytes(count),
		});
	},
};

export const seqread: Workload = {
	name: 'seqread',
	what: 'one large file read from start to end, cold and again; the first byte of it, cold',
	role: 'reads',
	fixture: 'large',
	metrics: () => [
		{name: 'seq_read_cold', unit: 'MB/s', stream: 'read'},
		{name: 'seq_read_warm', unit: 'MB/s'},
		{name: 'first_byte_cold', unit: 'ms'},
	],
	async run({top, sizes, measure, makeCold}) {
		const read = `dd if=${top}/large of=/dev/null bs=1M`;
		const amount = megabytes(sizes.largeMebibytes);
		await measure('seq_read_cold', read, {amount});
		await measure('seq_read_warm', read, {amount});
		await makeCold();
		await measure('first_byte_cold', `head -c 1 ${top}/large >/dev/null`);
	},
};

/** Without reading or writing the rest, if the file system can. */
export const patch: Workload = {
	name: 'patch',
	what: '4 KiB written in the middle of the large file, with fsync()',
	role: 'writes',
	fixture: 'large',
	metrics: () => [{name: 'write_4k_in_large', unit: 's', isWrite: true}],
	async run({top, sizes, local, measure}) {
		const source = await local.random(4096);
		const middle = sizes.largeMebibytes * 128; // In blocks of 4 KiB.
		await measure(
			'write_4k_in_large',
			`dd if=${source} of=${top}/large bs=4k count=1 seek=${middle} conv=notrunc,fsync`,
		);
	},
};
