/**
Promises 5.6 to 5.9, 5.19 and 5.20 of docs/SEMANTICS.md on real mounts: all ways by which the kernel brings the bytes of
an open file to a program, after another node replaced the file.
*/
import test from 'ava';
import {errnoOf} from '../../support/fs-under-test.ts';
import {startMountedNodes, type MountedNodes} from './support/mounted-nodes.ts';
import type {Program} from './support/program.ts';
import {eventually, objectText} from '../../support/volume-nodes.ts';
import {fuse, isMet, python, testThatNeeds} from '../../support/needs.ts';

const {serial: onMounts} = testThatNeeds(fuse, python);

let nodes: MountedNodes;
let versioned: MountedNodes;
if (isMet(fuse, python)) {
	test.before(async () => {
		// The kernel believes in what it knows of a file for all of the test: then it asks only for what it has to.
		const options = {'metadata-ttl': '1h'};
		[nodes, versioned] = await Promise.all([
			startMountedNodes({options}),
			startMountedNodes({options, isVersioned: true}),
		]);
	});

	test.after.always(async () => {
		await Promise.all([nodes.close(), versioned.close()]);
	});
}

/**
What a program sees of its open file `fd` by each way: the letters that are in it, in the order of the alphabet, or what
it gets instead of them. A mapping is looked at by a process of its own, which SIGBUS may end.
*/
const waysToRead = `
import signal
def letters(content):
    return ''.join(sorted(map(chr, set(content))))
def attempt(use):
    try:
        return letters(use())
    except OSError as error:
        return errno.errorcode[error.errno]
def by_read():
    return os.pread(fd, 1 << 20, 0)
def by_sendfile():
    with open('/dev/null', 'wb') as sink:
        offset = 0
        while (count := os.sendfile(sink.fileno(), fd, offset, 1 << 20)) > 0:
            offset += count
    return os.pread(fd, 1 << 20, 0)
def by_splice():
    source, sink = os.pipe()
    content = b''
    try:
        while (count := os.splice(fd, sink, 1 << 16, len(content))) > 0:
            content += os.read(source, count)
    finally:
        os.close(source)
        os.close(sink)
    return content
def by_copy():
    copy = os.open(at('copy-%d' % os.getpid()), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        while os.copy_file_range(fd, copy, 1 << 20, os.lseek(copy, 0, os.SEEK_END)) > 0:
            pass
        return os.pread(copy, 1 << 20, 0)
    finally:
        os.close(copy)
def of_mapping(mapping):
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        for offset in range(0, len(mapping), 4096):
            os.write(sink, mapping[offset:offset + 1])
        os._exit(0)
    os.close(sink)
    seen = b''
    while block := os.read(source, 4096):
        seen += block
    os.close(source)
    status = os.waitpid(child, 0)[1]
    return letters(seen) + (signal.Signals(status).name if status else '')
def mapped(flags):
    try:
        return of_mapping(mmap.mmap(fd, 0, flags=flags, prot=mmap.PROT_READ))
    except OSError as error:
        return errno.errorcode[error.errno]
def each_way():
    return {way.__name__: attempt(way) for way in (by_read, by_sendfile, by_splice, by_copy)}
def each_new_mapping():
    return {'shared': mapped(mmap.MAP_SHARED), 'private': mapped(mmap.MAP_PRIVATE)}
`;

const bytes = 2 ** 18;
const allWays = (outcome: string) => ({
	by_read: outcome,
	by_sendfile: outcome,
	by_splice: outcome,
	by_copy: outcome,
});

/** Opens on node B, in a program that ends with the test. */
const openToRead = async (
	t: {teardown(close: () => void): void},
	{b}: MountedNodes,
	name: string,
	flags = 'os.O_RDONLY',
): Promise<Program> => {
	const program = b.start();
	t.teardown(() => program.kill());
	await program.run(`${waysToRead}fd = os.open(at('${name}'), ${flags})`);
	return program;
};

/** A reader of 'x' that has seen a part of the file, and has mapped it. */
const openOld = async (t: {teardown(close: () => void): void}, set: MountedNodes, name: string): Promise<Program> => {
	await set.a.python(`write('${name}', b'x' * ${bytes})`);
	const old = await openToRead(t, set, name);
	await old.run(`
os.pread(fd, 4096, 0)
maps = [mmap.mmap(fd, 0, flags=flags, prot=mmap.PROT_READ) for flags in (mmap.MAP_SHARED, mmap.MAP_PRIVATE)]
[m[4096] for m in maps]`);
	return old;
};

/** Node A makes it a file of 'y'. */
const replacements = {
	'in place': (name: string) => `write('${name}', b'y' * ${bytes})`,
	'by rename': (name: string) => `write('${name}.new', b'y' * ${bytes}); os.rename(at('${name}.new'), at('${name}'))`,
};

const mapsOf = async (program: Program): Promise<unknown> => program.run('[of_mapping(m) for m in maps]');

onMounts(
	'5.6 A read returns bytes of one version of the file, never a mixture. (through the kernel, by every way of the older and of the newer version)',
	async t => {
		for (const [how, replace] of Object.entries(replacements)) {
			const name = `mixed ${how}`;
			const old = await openOld(t, nodes, name);
			await nodes.a.python(replace(name));
			const newer = await openToRead(t, nodes, name);
			for (const way of ['by_read', 'by_splice', 'by_sendfile', 'by_copy']) {
				const seen = await newer.run(`attempt(${way})`);
				t.true(seen === 'y' || seen === 'EINVAL', `${how}: the newer ${way}: ${String(seen)}`);
				t.deepEqual(await old.run('attempt(by_read)'), 'ESTALE', `${how}: the older by read after the newer ${way}`);
			}

			t.deepEqual(await newer.run('each_new_mapping()'), {shared: 'ENODEV', private: 'SIGBUS'}, how);
			t.deepEqual(await old.run('each_way()'), allWays('ESTALE'), how);
			t.deepEqual(await mapsOf(old), ['SIGBUS', 'SIGBUS'], how);
			t.deepEqual(await newer.run('attempt(by_read)'), 'y', how);
			await old.close();
			await eventually(
				t,
				'the node knows that the older version is closed',
				async () => (await newer.run('attempt(by_splice)')) === 'y',
			);
			t.deepEqual(await newer.run('each_way()'), allWays('y'), `${how}: alone`);
			t.is(await newer.run('mapped(mmap.MAP_PRIVATE)'), 'y', `${how}: alone`);
			const again = await openToRead(t, nodes, name);
			t.deepEqual(await again.run('[each_way(), each_new_mapping()]'), [allWays('y'), {shared: 'y', private: 'y'}]);
		}
	},
);

onMounts(
	'5.7 A reader keeps the version that it opened; when that version is gone from S3, or a newer one was opened on the same node, its reads fail with ESTALE. (through the kernel, by every way)',
	async t => {
		for (const [how, replace] of Object.entries(replacements)) {
			const name = `stale ${how}`;
			const old = await openOld(t, nodes, name);
			await nodes.a.python(replace(name));
			t.is(await nodes.b.python(`read('${name}') == b'y' * ${bytes}`), true);
			t.deepEqual(await old.run('each_way()'), allWays('ESTALE'), how);
			t.deepEqual(await mapsOf(old), ['SIGBUS', 'SIGBUS'], how);
		}
	},
);

onMounts(
	'5.8 In a bucket with versioning a reader keeps its version also when the file is replaced or deleted elsewhere, until a newer one is opened on the same node. (through the kernel, by every way)',
	async t => {
		for (const [how, replace] of Object.entries(replacements)) {
			const name = `kept ${how}`;
			const old = await openOld(t, versioned, name);
			await versioned.a.python(replace(name));
			t.deepEqual(await old.run('each_way()'), allWays('x'), how);
			t.deepEqual(await mapsOf(old), ['x', 'x'], how);
			t.is(await versioned.b.python(`read('${name}') == b'y' * ${bytes}`), true);
			t.deepEqual(await old.run('each_way()'), allWays('ESTALE'), how);
			t.deepEqual(await mapsOf(old), ['SIGBUS', 'SIGBUS'], how);
		}
	},
);

onMounts(
	'5.9 A reader that has reached the end of a file goes on when the file grows on another node, at most `metadata-ttl` later: `tail -f` works. (through the kernel)',
	async t => {
		const own = await startMountedNodes({options: {'metadata-ttl': '200ms'}});
		t.teardown(own.close);
		await own.a.python("write('log', b'one\\n')");
		const tail = await openToRead(t, own, 'log');
		t.is(await tail.run('seen = os.read(fd, 4096); seen'), 'one\n');
		for (const line of ['two\n', 'three\n']) {
			await own.a.python(`append('log', b'${line.trim()}\\n')`);
			await own.b.python("os.stat(at('log')).st_size");
			await eventually(t, 'the reader goes on', async () =>
				String(await tail.run('seen += os.read(fd, 4096); seen')).endsWith(line),
			);
		}

		t.is(await tail.run('seen'), 'one\ntwo\nthree\n');
	},
);

onMounts(
	'5.19 A reader at the end of a file does not go on in a longer one that has replaced it: it stays at its end, and its reads fail with ESTALE once that one was opened on the same node. (through the kernel)',
	async t => {
		const own = await startMountedNodes({options: {'metadata-ttl': '200ms'}});
		t.teardown(own.close);
		for (const [how, replace] of Object.entries(replacements)) {
			const name = `log ${how}`;
			await own.a.python(`write('${name}', b'one\\n')`);
			const tail = await openToRead(t, own, name);
			t.is(await tail.run('os.read(fd, 4096)'), 'one\n');
			await own.a.python(replace(name));
			await eventually(
				t,
				'the node has seen the longer one',
				async () => (await own.b.python(`os.stat(at('${name}')).st_size`)) === bytes,
			);
			t.is(await tail.run('os.read(fd, 4096)'), '', how);
			t.is(await own.b.python(`len(read('${name}'))`), bytes, how);
			t.is(await errnoOf(tail.run('os.read(fd, 4096)')), 'ESTALE', how);
		}
	},
);

onMounts(
	'5.20 A change through an open file fails with ESTALE once a newer version was opened on the same node, but an append goes behind the end of that one. (through the kernel)',
	async t => {
		const {a, b, bucket} = nodes;
		await a.python("write('changed', b'old content')");
		const writer = await openToRead(t, nodes, 'changed', 'os.O_RDWR');
		await writer.run("source = os.open(at('source'), os.O_RDWR | os.O_CREAT); os.write(source, b'source')");
		await writer.run('shared = mmap.mmap(fd, 0); private = shared[0]');
		const appender = await openToRead(t, nodes, 'changed', 'os.O_WRONLY | os.O_APPEND');
		await a.python("write('changed', b'new content')");
		await writer.run("shared[0:3] = b'OLD'"); // The kernel writes it when the newer version is opened.
		// The kernel tells a failure of its own write once, to whoever reads next on some kernels.
		const failure = await errnoOf(b.python("read('changed')"));
		t.true(failure === undefined || failure === 'EIO', failure);
		t.is(await b.python("read('changed')"), 'new content');
		for (const change of [
			"os.pwrite(fd, b'OLD', 0)",
			'os.ftruncate(fd, 0)',
			'os.posix_fallocate(fd, 0, 100)',
			'os.copy_file_range(source, fd, 6, 0, 0)',
		]) {
			t.is(await errnoOf(writer.run(change)), 'ESTALE', change);
		}

		await writer.close();
		t.is(await objectText(bucket, 'changed'), 'new content');
		await appender.run("os.write(fd, b', more'); os.close(fd)");
		t.is(await objectText(bucket, 'changed'), 'new content, more');
		const whole = await openToRead(t, nodes, 'changed', 'os.O_WRONLY | os.O_TRUNC');
		await a.python("write('changed', b'of a')");
		await whole.run("os.write(fd, b'b wins'); os.close(fd)");
		t.is(await objectText(bucket, 'changed'), 'b wins');
	},
);

onMounts('a file that was cut by its name has no bytes of a version that the kernel has in its pages', async t => {
	const {a, b} = nodes;
	const program = b.start();
	t.teardown(() => program.kill());
	for (const open of ['', "fd = os.open(at('cut'), os.O_WRONLY); "]) {
		await a.python("write('cut', b'x' * 8192)");
		t.is(await program.run("set(read('cut')) == {120}"), true);
		await a.python("write('cut', b'y' * 16384)");
		await program.run(`${open}os.truncate(at('cut'), 8192)`);
		t.is(await program.run("content = read('cut'); len(content) == 8192 and set(content) == {121}"), true);
		t.is(await program.run("set(read('cut')) == {121}"), true);
	}
});
