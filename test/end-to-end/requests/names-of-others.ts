/** What other nodes did a moment ago is seen where it must be, although a node does not ask for names that it knows. */
import test from 'ava';
import {errnoOf} from '../../support/fs-under-test.ts';
import {startMountedNodes} from '../semantics/support/mounted-nodes.ts';

test('a node that has listed a directory opens what others made there since, and makes nothing that they made', async t => {
	t.timeout(600_000);
	// So what is remembered is remembered all the time.
	const nodes = await startMountedNodes({options: {'metadata-ttl': '1h'}});
	const {a, b} = nodes;
	try {
		for (const name of ['d/old', 'd/replaced', 'd/read', 'd/grown']) {
			await nodes.bucket.put(name, Buffer.from('before'));
		}

		const program = a.start();
		t.teardown(() => program.kill());
		t.deepEqual(await program.run("sorted(os.listdir(at('d')))"), ['grown', 'old', 'read', 'replaced']);
		t.is(await program.run("read('d/read')"), 'before');
		await b.python(`
for name in ['new', 'replaced', 'read', 'new-append']:
    write('d/' + name, b'of b')
append('d/grown', b' of b')
os.close(os.open(at('d/lock'), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
os.makedirs(at('d/dir/below'))
write('d/dir/below/file', b'of b')
os.mkdir(at('d/only-dir'))
os.symlink('new', at('d/link'))`);

		t.is(await program.run("read('d/new')"), 'of b', 'A file in a directory that was listed');
		t.is(await program.run("read('d/replaced')"), 'of b', 'A file that was listed');
		t.is(await program.run("read('d/read')"), 'of b', 'A file that was read');
		t.is(await program.run("read('d/dir/below/file')"), 'of b', 'A file in directories that were made since');
		t.is(await program.run("append('d/new-append', b' and a'); read('d/new-append')"), 'of b and a');
		t.is(await program.run("append('d/grown', b' and a'); read('d/grown')"), 'before of b and a');
		for (const call of [
			"os.open(at('d/lock'), os.O_CREAT | os.O_EXCL | os.O_WRONLY)",
			"os.mkdir(at('d/only-dir'))",
			"os.symlink('x', at('d/link'))",
		]) {
			t.is(await errnoOf(program.run(call)), 'EEXIST', call);
		}

		await b.python("os.mkdir(at('d/late')); write('d/late/file', b'of b')");
		t.is(await program.run("append('d/late/file', b' and a'); read('d/late/file')"), 'of b and a');
	} finally {
		await nodes.close();
	}
});

test('an open that follows a look-up of another call asks again', async t => {
	t.timeout(600_000);
	const nodes = await startMountedNodes({options: {'metadata-ttl': '1h'}});
	try {
		await nodes.bucket.put('d/file', Buffer.from('before'));
		const program = nodes.a.start();
		t.teardown(() => program.kill());
		t.is(await program.run("os.listdir(at('d')); os.stat(at('d/file')).st_size"), 6);
		await nodes.b.python("write('d/file', b'of b')");
		t.is(await program.run("read('d/file')"), 'of b');
		await nodes.b.python("write('d/file', b'again of b')");
		t.is(await program.run("read('d/file')"), 'again of b', 'Nor is the look-up of the open before used again');
	} finally {
		await nodes.close();
	}
});

test('an open does not use the look-up of one that the kernel refused', async t => {
	t.timeout(600_000);
	const nodes = await startMountedNodes({options: {'metadata-ttl': '1h'}});
	try {
		await nodes.bucket.put('d/file', Buffer.from('before'));
		const [a, b] = [nodes.a.start(), nodes.b.start()];
		t.teardown(() => a.kill());
		t.teardown(() => b.kill());
		await a.run("os.listdir(at('d'))");
		await b.run("os.listdir(at('d'))");
		t.is(await errnoOf(a.run("os.open(at('d/file'), os.O_CREAT | os.O_EXCL | os.O_WRONLY)")), 'EEXIST');
		await b.run("write('d/file', b'of b')");
		t.is(await a.run("read('d/file')"), 'of b');
	} finally {
		await nodes.close();
	}
});
