/** Which versions stay on a node while others are installed. */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {linkSync, mkdirSync, realpathSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {createTreesDirectory, install} from '../../install/support/install-node.ts';
import {createLocalNode, startPrivateNode} from '../../install/support/private-node.ts';
import {buildRuntimeTree, copyRuntimeTree} from '../../install/support/runtime-tree.ts';

const trees = createTreesDirectory(remove => test.after.always(remove));
const first = buildRuntimeTree(join(trees, '1'), {version: '1.0.0'});
const [second = '', third = '', fourth = ''] = ['2.0.0', '3.0.0', '4.0.0'].map(version =>
	copyRuntimeTree(first, join(trees, version), {version}),
);

/** A process of the node that says when it runs; ended by `end`, or with the test. */
const startProcess = async (
	t: ExecutionContext,
	command: string,
	args: readonly string[],
): Promise<{end: () => Promise<void>}> => {
	const child = spawn(command, args, {
		cwd: '/',
		env: {PATH: '/usr/sbin:/usr/bin:/sbin:/bin'},
		stdio: ['pipe', 'pipe', 'inherit'],
	});
	const exited = once(child, 'exit');
	const end = async (): Promise<void> => {
		child.kill('SIGKILL');
		await exited;
	};
	t.teardown(end);
	await Promise.race([once(child.stdout, 'data'), exited]);
	t.is(child.exitCode, null);
	return {end};
};

test('a version that a live process runs from is kept over upgrades, and goes when nobody needs it; the one before the current stays', async t => {
	const node = createLocalNode(t);
	const {runtimeDirectory} = await install(node, first);
	const server = await startProcess(t, join(runtimeDirectory, 'bin/pnx-volume'), [
		'dev-server',
		'--directory',
		join(node.directory, 'run'),
	]);
	await install(node, second);
	t.deepEqual((await install(node, third)).versions, ['3.0.0', '2.0.0', '1.0.0']);
	t.like(await install(node, fourth), {
		versions: ['4.0.0', '3.0.0', '1.0.0'],
		removedVersions: ['2.0.0'],
		pruneDoubt: undefined,
	});
	await server.end();
	t.like(await install(node, fourth), {
		versions: ['4.0.0', '3.0.0'],
		removedVersions: ['1.0.0'],
		isRuntimeChanged: false,
	});
});

test('a process is recognised by its program even where it has another path', async t => {
	const tree = copyRuntimeTree(first, join(trees, 'with-node'), {});
	mkdirSync(join(tree, 'lib'));
	linkSync(realpathSync(process.execPath), join(tree, 'lib/node'));
	const node = createLocalNode(t);
	const {runtimeDirectory} = await install(node, tree);
	rmSync(tree, {recursive: true});
	const mountPoint = join(node.directory, 'elsewhere');
	mkdirSync(mountPoint);
	const script = 'mount --bind "$1/lib" "$2" && exec "$2/node" -e "console.log(1); process.stdin.resume()"';
	const elsewhere = await startProcess(t, 'unshare', [
		'--mount',
		'--propagation',
		'private',
		'/bin/sh',
		'-c',
		script,
		'sh',
		runtimeDirectory,
		mountPoint,
	]);
	await install(node, second);
	t.deepEqual((await install(node, third)).versions, ['3.0.0', '2.0.0', '1.0.0']);
	await elsewhere.end();
	t.deepEqual((await install(node, third)).versions, ['3.0.0', '2.0.0']);
});

test('a version that a volume would start its daemon from again is kept, without any process', async t => {
	const node = createLocalNode(t);
	const {runtimeDirectory} = await install(node, first);
	const directory = join(node.directory, 'state/volumes/0123456789abcdef');
	mkdirSync(directory, {recursive: true});
	writeFileSync(
		join(directory, 'state.json'),
		JSON.stringify({
			formatVersion: 1,
			volumeId: '0123456789abcdef',
			bucket: 'bucket-1',
			prefix: '',
			kind: 'pods',
			mountPoint: join(directory, 'mount'),
			pods: [],
			launch: {way: 'session', home: runtimeDirectory, version: '1.0.0'},
		}),
	);
	await install(node, second);
	t.deepEqual((await install(node, third)).versions, ['3.0.0', '2.0.0', '1.0.0']);
	rmSync(directory, {recursive: true});
	t.deepEqual((await install(node, third)).versions, ['3.0.0', '2.0.0']);
});

test('nothing is removed while the processes of the node cannot be seen, and the reason is given', async t => {
	const node = await startPrivateNode(t, 'mount -t tmpfs tmpfs /proc');
	for (const source of [first, second]) {
		await install(node, source);
	}

	const {versions, pruneDoubt} = await install(node, third);
	t.deepEqual(versions, ['3.0.0', '2.0.0', '1.0.0']);
	t.regex(String(pruneDoubt), /processes of the node cannot be seen from here \(hostPID/);
});

test('what was unpacked by hand is adopted when it is the same, and never removed when it is not', async t => {
	const node = createLocalNode(t);
	copyRuntimeTree(first, join(node.directory, 'opt/pnx-volume/1.0.0'), {});
	t.like(await install(node, first), {
		isRuntimeChanged: true,
		runtimeDirectory: join(node.directory, 'opt/pnx-volume/1.0.0'),
	});
	copyRuntimeTree(first, join(node.directory, 'opt/pnx-volume/2.0.0'), {change: 'by hand'});
	t.regex((await install(node, second)).runtimeDirectory, /\/2\.0\.0-[\da-f]{8}$/);
	await install(node, third);
	await install(node, fourth);
	t.notThrows(() => realpathSync(join(node.directory, 'opt/pnx-volume/2.0.0')));
});
