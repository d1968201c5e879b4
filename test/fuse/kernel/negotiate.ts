import test from 'ava';
import {negotiate, toInitOut} from '../../../src/fuse/kernel/negotiate.ts';
import {initFlags} from '../../../src/fuse/kernel/protocol.ts';

const everything = 0x7f_ff_ff_ff;

test('only what the kernel offers is agreed on, and of that only what is wanted', t => {
	t.is(negotiate({major: 7, minor: 31, maxReadahead: 1, flags: 0}).flags, 0);
	t.is(negotiate({major: 7, minor: 31, maxReadahead: 1, flags: initFlags.maxPages}).flags, initFlags.maxPages);
	const {flags} = negotiate({major: 7, minor: 45, maxReadahead: 1, flags: everything});
	t.is(flags & initFlags.atomicTruncate, initFlags.atomicTruncate);
	const [locks, writebackCache, splice, longSetxattr] = [(1 << 1) | (1 << 10), 1 << 16, 7 << 7, 1 << 29];
	t.is(flags & (locks | writebackCache | splice | longSetxattr), 0);
});

test('the version is the lower one of both sides, and a kernel that is too old is told so', t => {
	t.is(negotiate({major: 7, minor: 35, maxReadahead: 1, flags: 0}).minor, 35);
	t.is(negotiate({major: 7, minor: 99, maxReadahead: 1, flags: 0}).minor, 41);
	t.throws(() => negotiate({major: 7, minor: 30, maxReadahead: 1, flags: 0}), {
		message: /^Linux 5\.4 or newer is needed.*version 7\.30.*use transport=native$/,
	});
});

test('the answer has requests of 1 MiB and times to the nanosecond', t => {
	t.like(toInitOut({minor: 40, flags: 1, maxReadahead: 131_072}), {
		major: 7,
		minor: 40,
		flags: 1,
		maxReadahead: 131_072,
		maxWrite: 2 ** 20,
		maxPages: 256,
		timeGranularity: 1,
	});
});
