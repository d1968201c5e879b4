/**
Promise 5.1 of docs/SEMANTICS.md where the kernel believes something else: it cuts reads at the size that it was told
last.
*/
import test from 'ava';
import {startMountedNodes, type MountedNodes} from './support/mounted-nodes.ts';
import type {Program} from './support/program.ts';
import {fuse, isMet, python, testThatNeeds} from '../../support/needs.ts';

const {serial: onMounts} = testThatNeeds(fuse, python);

let nodes: MountedNodes;
if (isMet(fuse, python)) {
	test.before(async () => {
		// The kernel believes in what it was told for all of the test.
		nodes = await startMountedNodes({options: {'metadata-ttl': '1h'}});
	});

	test.after.always(async () => nodes.close());
}

/** A program of node B that ends with the test. Its `content(name)` asks for no attributes, as `read(name)` does. */
const startOnB = async (t: {teardown(close: () => void): void}, {b}: MountedNodes): Promise<Program> => {
	const program = b.start();
	t.teardown(() => program.kill());
	await program.run(`
def content(name):
    fd = os.open(at(name), os.O_RDONLY)
    try:
        parts = []
        while part := os.read(fd, 1 << 16):
            parts.append(part)
        return b''.join(parts)
    finally:
        os.close(fd)`);
	return program;
};

onMounts(
	'5.1 With `durability: close`, an `open()` that comes after a `close()` on another node sees what was closed there. (after a program opened the longer file to append to it)',
	async t => {
		const {a} = nodes;
		const [reader, appender] = await Promise.all([startOnB(t, nodes), startOnB(t, nodes)]);
		await a.python("write('log', b'one\\n')");
		t.is(await reader.run("content('log')"), 'one\n');
		await a.python("append('log', b'two\\n')");
		await appender.run("fd = os.open(at('log'), os.O_WRONLY | os.O_APPEND)");
		t.is(await reader.run("content('log')"), 'one\ntwo\n');
		await appender.run("os.write(fd, b'three\\n'); os.close(fd)");
		t.is(await reader.run("content('log')"), 'one\ntwo\nthree\n');
		t.is(await a.python("read('log')"), 'one\ntwo\nthree\n');
	},
);
