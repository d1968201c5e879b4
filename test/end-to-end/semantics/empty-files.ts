/** Which close of a new and empty file waits for S3, on a real mount. */
import {execFile} from 'node:child_process';
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {promisify} from 'node:util';
import test, {type ExecutionContext} from 'ava';
import {errnoOf} from '../../support/fs-under-test.ts';
import {startMountedNodes, type MountedNodes} from './support/mounted-nodes.ts';
import {fuse, isMet, python, root, testThatNeeds} from '../../support/needs.ts';
import {objectText} from '../../support/volume-nodes.ts';

const run = promisify(execFile);
const {serial: onMounts} = testThatNeeds(fuse, python);
const {serial: onMountsOfRoot} = testThatNeeds(fuse, python, root);

let nodes: MountedNodes;
if (isMet(fuse, python)) {
	test.before(async () => {
		nodes = await startMountedNodes({count: 1});
	});

	test.after.always('the mount ends without a bug', async t => {
		const log = nodes.a.log();
		await nodes.close();
		t.notRegex(log, /met a bug/);
	});
}

/** S3 refuses a file: a `close()` of it that succeeds did not ask S3. */
const refuse = async (t: ExecutionContext, key: string): Promise<void> => {
	await nodes.server.setFaults({errors: [{operation: 'PutObject', key, status: 403, code: 'AccessDenied'}]});
	t.teardown(async () => nodes.server.setFaults({}));
};

const putCount = async (key: string): Promise<number> => nodes.server.countRequests({operation: 'PutObject', key});

/** A file without content on a local disk. */
const localFile = async (t: ExecutionContext, name: string): Promise<string> => {
	const directory = await mkdtemp(join(tmpdir(), 'pnx-empty-'));
	t.teardown(async () => rm(directory, {recursive: true, force: true}));
	const path = join(directory, name);
	await mkdir(dirname(path), {recursive: true});
	await writeFile(path, '');
	return path;
};

onMounts(
	'4.1 With `durability: close`, `close()` returns when S3 has the file. (an empty copy of an empty file with the same path on another disk)',
	async t => {
		const {a, server, bucket} = nodes;
		const source = await localFile(t, 'package/__init__.py');
		await a.python("os.mkdir(at('package'))");
		await server.setFaults({latencyMsByOperation: {PutObject: 2000}});
		t.teardown(async () => server.setFaults({}));
		await a.python(`import shutil; shutil.copyfile('${source}', at('package/__init__.py')); None`);
		t.teardown(async () => a.restart());
		await a.kill();
		t.is(await objectText(bucket, 'package/__init__.py'), '');
	},
);

onMounts(
	'4.3 When S3 does not take the file, the `close()` or `fsync()` that waits for it fails. (empty files, while the process has one with the same end of its path open, or the file itself twice)',
	async t => {
		const {a} = nodes;
		const source = await localFile(t, 'refused/one');
		await a.python("os.makedirs(at('below/refused')); os.mkdir(at('refused')); write('below/refused/two', b'')");
		await refuse(t, 'refused/');
		const program = a.start();
		t.teardown(() => program.kill());
		for (const lines of [
			`import shutil; shutil.copyfile('${source}', at('refused/one'))`,
			"shutil.copyfile(at('below/refused/two'), at('refused/two'))",
			`
first = os.open(at('refused/three'), os.O_CREAT | os.O_WRONLY)
second = os.open(at('refused/three'), os.O_RDONLY)
os.close(first)`,
		]) {
			t.is(await errnoOf(program.run(lines)), 'EACCES', lines);
		}
	},
);

onMounts(
	'4.15 A `close()` of a new and still empty file leaves the upload to a later one only if the process has the same `open()` under another descriptor, as a shell has at `command > file`.',
	async t => {
		const {a, bucket} = nodes;
		await a.shell('echo content > redirected; mkdir deep; cd deep; echo content > redirected; true > empty');
		t.is(await putCount('redirected'), 1);
		t.is(await putCount('deep/redirected'), 1);
		t.is(await putCount('deep/empty'), 1);
		t.is(await objectText(bucket, 'redirected'), 'content\n');
		t.is(await objectText(bucket, 'deep/empty'), '');
		await refuse(t, 'copied');
		const program = a.start();
		t.teardown(() => program.kill());
		await program.run("fd = os.open(at('copied'), os.O_CREAT | os.O_WRONLY); copy = os.dup(fd); os.close(fd)");
		t.is(await errnoOf(program.run('os.close(copy)')), 'EACCES');
	},
);

onMountsOfRoot(
	'4.15 A `close()` of a new and still empty file leaves the upload to a later one only if the process has the same `open()` under another descriptor, as a shell has at `command > file`. (in a container that sees one directory of the volume)',
	async t => {
		const {a} = nodes;
		const name = 'a part of it';
		await a.python(`os.mkdir(at('${name}'))`);
		const script = `mount --bind "$1" "$2" && cd "$2" && echo content > file`;
		const elsewhere = await mkdtemp(join(tmpdir(), 'pnx-part-'));
		t.teardown(async () => rm(elsewhere, {recursive: true, force: true}));
		await run('unshare', ['--mount', 'sh', '-ec', script, 'sh', a.at(name), elsewhere]);
		t.is(await putCount(`${name}/file`), 1);
	},
);
