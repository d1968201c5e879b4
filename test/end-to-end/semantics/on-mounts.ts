/** The promises of docs/SEMANTICS.md that need a kernel: two daemons that mount one bucket of an S3 server. */
import {execFile, spawn} from 'node:child_process';
import {constants} from 'node:fs';
import * as fs from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {promisify} from 'node:util';
import test, {type ExecutionContext} from 'ava';
import {errnoOf} from '../../support/fs-under-test.ts';
import {startMountedNodes, type MountedNodes} from './support/mounted-nodes.ts';
import {startPosixAgent, type PosixAgent} from '../posix/support/posix-agent.ts';
import {eventually} from '../../support/volume-nodes.ts';
import {fuse, isMet, python as python3, root, testThatNeeds} from '../../support/needs.ts';
import {pythonPath} from '../../support/python.ts';

const run = promisify(execFile);
const {serial: onMounts} = testThatNeeds(fuse, python3);
const {serial: onMountsOfRoot} = testThatNeeds(fuse, python3, root);

let nodes: MountedNodes;
if (isMet(fuse, python3)) {
	test.before(async () => {
		nodes = await startMountedNodes();
	});

	test.after.always('the mounts end without a bug', async t => {
		const logs = nodes.nodes.map(node => node.log());
		await nodes.close();
		for (const log of logs) {
			t.notRegex(log, /met a bug/);
		}
	});
}

/** The same name on both nodes. */
const both = (name: string): [string, string] => [nodes.a.at(name), nodes.b.at(name)];

const startAgent = (t: ExecutionContext): PosixAgent => {
	const agent = startPosixAgent();
	t.teardown(() => agent.close());
	return agent;
};

/** Runs a few lines of Python in a process of its own. */
const python = async (lines: string, ...parameters: readonly string[]): Promise<string> =>
	(await run(pythonPath, ['-c', `import mmap, os, sys\n${lines}`, ...parameters])).stdout;

onMounts('2.4 A name that is not valid UTF-8 cannot be created: EILSEQ. (through the kernel)', async t => {
	const path = Buffer.concat([Buffer.from(nodes.a.at('name-')), Buffer.from([0xff])]);
	t.is(await errnoOf(fs.writeFile(path, 'x')), 'EILSEQ');
	t.is(await errnoOf(fs.mkdir(path)), 'EILSEQ');
	t.is(await errnoOf(fs.stat(path)), 'ENOENT');
});

onMounts(
	'3.10 What a program changes through a shared mapping is in S3 after `msync()` and after the `close()` of the file.',
	async t => {
		const [onA, onB] = both('mapped');
		await fs.writeFile(onA, 'content');
		await python(
			'file = open(sys.argv[1], "r+b"); pages = mmap.mmap(file.fileno(), 0); pages[0:3] = b"CON"; pages.flush()\nassert open(sys.argv[2]).read() == "CONtent"',
			onA,
			onB,
		);
		await python(
			'file = open(sys.argv[1], "r+b"); pages = mmap.mmap(file.fileno(), 0); pages[3:7] = b"TENT"; os.close(file.fileno())\nassert open(sys.argv[2]).read() == "CONTENT"\nos._exit(0)',
			onA,
			onB,
		);
		t.is(await fs.readFile(onB, 'utf8'), 'CONTENT');
	},
);

onMounts(
	'3.11 What a program changes through a mapping that outlives its descriptor is uploaded when the mapping goes.',
	async t => {
		const [onA, onB] = both('outlived');
		await fs.writeFile(onA, 'content');
		await python(
			'fd = os.open(sys.argv[1], os.O_RDWR); pages = mmap.mmap(fd, 0); os.close(fd); pages[0:7] = b"changed"; pages.close()',
			onA,
		);
		await eventually(t, 'the other node sees it', async () => (await fs.readFile(onB, 'utf8')) === 'changed');
	},
);

onMounts('3.12 Files can be opened with O_DIRECT.', async t => {
	const [onA, onB] = both('direct');
	const file = await fs.open(onA, constants.O_CREAT | constants.O_RDWR | constants.O_DIRECT);
	await file.write('content');
	t.is((await file.read(Buffer.alloc(7), 0, 7, 0)).buffer.toString(), 'content');
	await file.close();
	t.is(await fs.readFile(onB, 'utf8'), 'content');
});

onMounts('3.13 Programs can be executed from the volume.', async t => {
	const [onA, onB] = both('program');
	await fs.copyFile('/bin/echo', onA);
	await fs.chmod(onA, 0o755);
	t.is((await run(onB, ['it', 'runs'])).stdout, 'it runs\n');
});

onMounts('3.14 What one `write()` appends stays in its order, also with O_DIRECT.', async t => {
	const [onA, onB] = both('direct-append');
	// More than three requests of the kernel, which it sends at the same time if it may.
	const data = Buffer.alloc(4_000_000);
	for (let offset = 0; offset < data.length; offset += 4) {
		data.writeUInt32BE(offset, offset);
	}

	for (let round = 0; round < 10; round++) {
		const file = await fs.open(
			onA,
			constants.O_CREAT | constants.O_TRUNC | constants.O_WRONLY | constants.O_APPEND | constants.O_DIRECT,
		);
		t.is((await file.write(data)).bytesWritten, data.length);
		await file.close();
		t.true((await fs.readFile(onB)).equals(data), `round ${round}`);
	}
});

onMounts(
	'5.1 With `durability: close`, an `open()` that comes after a `close()` on another node sees what was closed there. (through the kernel, while the file does not grow)',
	async t => {
		const [onA, onB] = both('handed-over');
		await fs.writeFile(onA, 'first content');
		for (const [writer, reader, content] of [
			[onA, onB, 'other content'],
			[onB, onA, 'third content'],
			[onA, onB, 'shorter'],
			[onB, onA, ''],
		] as const) {
			await fs.stat(reader);
			await fs.writeFile(writer, content);
			t.is((await run('cat', [reader])).stdout, content);
		}
	},
);

onMounts(
	'5.2 Attributes and listings of what other nodes or other S3 clients changed are at most `metadata-ttl` old. (through the kernel)',
	async t => {
		const [onA, onB] = both('shared');
		await fs.mkdir(onA);
		await fs.writeFile(join(onA, 'file'), 'one');
		t.is((await fs.stat(join(onB, 'file'))).size, 3);
		t.deepEqual(await fs.readdir(onB), ['file']);
		t.is(await errnoOf(fs.stat(join(onB, 'later'))), 'ENOENT');
		await fs.writeFile(join(onA, 'file'), 'three');
		await fs.writeFile(join(onA, 'later'), 'x');
		await delay(1100);
		t.is((await fs.stat(join(onB, 'file'))).size, 5);
		t.is((await fs.stat(join(onB, 'later'))).size, 1);
		t.deepEqual(await fs.readdir(onB), ['file', 'later']);
	},
);

onMounts(
	'5.1 With `durability: close`, an `open()` that comes after a `close()` on another node sees what was closed there. (a file that grew, when the kernel knows its old size)',
	async t => {
		const [onA, onB] = both('grown');
		await fs.writeFile(onA, 'short');
		t.is(await fs.readFile(onB, 'utf8'), 'short');
		t.is((await fs.stat(onB)).size, 5);
		await fs.writeFile(onA, 'longer than before');
		t.is((await run('cat', [onB])).stdout, 'longer than before');
		await fs.writeFile(onA, 'cut');
		t.is((await run('cat', [onB])).stdout, 'cut');
	},
);

onMounts(
	'5.1 With `durability: close`, an `open()` that comes after a `close()` on another node sees what was closed there. (a new file whose name was looked for in vain just before)',
	async t => {
		const [onA, onB] = both('looked-for');
		t.is(await errnoOf(fs.stat(onB)), 'ENOENT');
		await fs.writeFile(onA, 'content');
		t.is(await fs.readFile(onB, 'utf8'), 'content');
	},
);

onMounts(
	'5.9 A reader that has reached the end of a file goes on when the file grows on another node, at most `metadata-ttl` later: `tail -f` works. (through the kernel)',
	async t => {
		const [onA, onB] = both('followed');
		await fs.writeFile(onA, 'one\n');
		const tail = spawn('tail', ['-f', '-n', '+1', '-s', '0.1', onB], {stdio: ['ignore', 'pipe', 'inherit']});
		t.teardown(() => tail.kill());
		let seen = '';
		tail.stdout.setEncoding('utf8').on('data', (text: string) => {
			seen += text;
		});
		await eventually(t, 'the first line is seen', () => seen === 'one\n');
		await fs.appendFile(onA, 'two\n');
		await eventually(t, 'the second line is seen', () => seen === 'one\ntwo\n');
		await fs.appendFile(onA, 'three\n');
		await eventually(t, 'the third line is seen', () => seen === 'one\ntwo\nthree\n');
	},
);

onMounts('6.13 Between two volumes a rename fails with EXDEV, and `mv` copies.', async t => {
	const [onA] = both('to-move');
	const [, onB] = both('moved');
	await fs.writeFile(onA, 'content');
	t.is(await errnoOf(fs.rename(onA, onB)), 'EXDEV');
	await run('mv', [onA, onB]);
	t.is(await fs.readFile(onB, 'utf8'), 'content');
});

onMountsOfRoot('7.19 The permission bits are checked by the kernel against the user of the process.', async t => {
	const [onA] = both('private');
	await fs.writeFile(onA, 'content', {mode: 0o600});
	const asNobody = async (): Promise<number | null> =>
		new Promise(resolve => {
			spawn('cat', [onA], {uid: 65_534, gid: 65_534, stdio: 'ignore'}).once('exit', resolve);
		});
	t.is(await asNobody(), 1);
	await fs.chmod(onA, 0o644);
	t.is(await asNobody(), 0);
});

onMounts('9.1 `flock()` and `fcntl()` locks work between all processes of one node.', async t => {
	const [onA] = both('locked-here');
	await fs.writeFile(onA, 'x');
	const [one, other] = [startAgent(t), startAgent(t)];
	for (const kind of ['flock', 'fcntl']) {
		await one.call('lock', onA, kind);
		t.is(await errnoOf(other.call('lock', onA, kind)), 'EAGAIN');
		await one.call('unlock', onA);
		await other.call('lock', onA, kind);
		await other.call('unlock', onA);
	}
});

onMounts('9.2 `flock()` and `fcntl()` locks are not seen by other nodes.', async t => {
	const [onA, onB] = both('locked-elsewhere');
	await fs.writeFile(onA, 'x');
	const [one, other] = [startAgent(t), startAgent(t)];
	for (const kind of ['flock', 'fcntl']) {
		await one.call('lock', onA, kind);
		t.is(await errnoOf(other.call('lock', onB, kind)), undefined);
		await one.call('unlock', onA);
		await other.call('unlock', onB);
	}
});

onMounts('10.2 Hard links cannot be made: EPERM.', async t => {
	const [onA] = both('single');
	await fs.writeFile(onA, 'x');
	t.is(await errnoOf(fs.link(onA, `${onA}-too`)), 'EPERM');
});

onMountsOfRoot('10.4 Set-user-ID bits have no effect, and device nodes cannot be opened.', async t => {
	const mounts = await fs.readFile('/proc/self/mountinfo', 'utf8');
	const options =
		mounts
			.split('\n')
			.find(line => line.includes(` ${nodes.a.mountPoint} `))
			?.split(' ')[5]
			?.split(',') ?? [];
	t.true(options.includes('nosuid'));
	t.true(options.includes('nodev'));
	const [onA] = both('null');
	await run('mknod', [onA, 'c', '1', '3']);
	t.true((await fs.stat(onA)).isCharacterDevice());
	t.is(await errnoOf(fs.open(onA, 'r')), 'EACCES');
});

onMounts('10.7 No name but those that programs made gets into the bucket.', async t => {
	const [onA, onB] = both('names');
	await fs.mkdir(onA);
	await fs.writeFile(join(onA, 'deleted'), 'content');
	const file = await fs.open(join(onA, 'deleted'), 'r+');
	await fs.unlink(join(onA, 'deleted'));
	t.deepEqual(await fs.readdir(onB), []);
	t.is((await file.readFile()).toString(), 'content');
	await file.close();
	t.deepEqual(await fs.readdir(onB), []);
});

onMounts('10.8 O_TMPFILE fails with EOPNOTSUPP.', async t => {
	t.is(await errnoOf(fs.open(nodes.a.mountPoint, 0o20_200_000 | constants.O_RDWR)), 'EOPNOTSUPP');
});

onMounts('12.3 A symbolic link has a target of 4095 bytes at most.', async t => {
	const [onA, onB] = both('long-link');
	const longest = 'x'.repeat(4095);
	await fs.symlink(longest, onA);
	t.is(await fs.readlink(onB), longest);
	t.is(await errnoOf(fs.symlink(`${longest}x`, `${onA}er`)), 'ENAMETOOLONG');
});
