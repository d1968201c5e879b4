import {execFileSync, spawnSync} from 'node:child_process';
import {
	copyFileSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {formatReply} from '../../../src/flexvolume/format-reply.ts';
import {createStandInHarness, driverPath, toKubeletJson} from '../../support/driver.ts';

const temporaryDirectory = (t: ExecutionContext): string => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-launcher-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	return directory;
};

/** The launcher as the installer puts it: alone in the plugin directory, with no runtime beside it. */
const installedDriver = (t: ExecutionContext): string => {
	const path = join(temporaryDirectory(t), 'volume');
	copyFileSync(driverPath, path);
	return path;
};

/** Runs a launcher with both outputs on one pipe and a given home. */
const run = (path: string, argv: readonly string[], variables: Record<string, string> = {}) =>
	spawnSync('/bin/sh', ['-c', 'exec "$@" 2>&1', 'sh', path, ...argv], {
		env: {PATH: '/usr/bin:/bin', PNX_VOLUME_LOG: '/dev/null', ...variables},
		encoding: 'utf8',
	});

test('init is answered with the words of formatReply(), and without a runtime', t => {
	const {stdout, status} = run(installedDriver(t), ['init']);
	t.is(stdout, formatReply({outcome: 'initialised'}));
	t.is(status, 0);
});

test('every call that is not ours is answered with "Not supported" and exit 0', t => {
	for (const argv of [
		['getvolumename', '{}'],
		['attach', '{}', 'node1'],
		['waitforattach', '', '{}'],
		['isattached', 'n', '{}'],
		['detach', 'v', 'node1'],
		['mountdevice', '/x', '', '{}'],
		['unmountdevice', '/x'],
		['expandvolume'],
		['expandfs'],
		['$(reboot)'],
		['a\nb'],
	]) {
		const {stdout, status} = run(driverPath, argv);
		t.is(stdout, '{"status":"Not supported"}\n', argv[0]);
		t.is(status, 0);
	}
});

test('missing arguments are a Failure that says what is missing, and exit 0', t => {
	for (const [argv, message] of [
		[[], /without arguments/],
		[['mount'], /mount <directory> <JSON>/],
		[['mount', '/x'], /an argument is missing/],
		[['unmount'], /the directory is missing/],
	] as const) {
		const {stdout, status} = run(driverPath, argv);
		t.is(status, 0);
		const reply = JSON.parse(stdout) as {status: string; message: string};
		t.is(reply.status, 'Failure');
		t.regex(reply.message, message);
	}
});

test('mount fails with a clear message on a node without the runtime, or without Node.js in it', t => {
	const path = installedDriver(t);
	const bare = run(path, ['mount', '/x/v', '{"kubernetes.io/secret/secretKey":"aHVzaA=="}']);
	t.is(bare.status, 0);
	// On a node where the product is installed in its usual place, that is what is used.
	if (!existsSync('/opt/pnx-volume/current')) {
		t.regex(
			(JSON.parse(bare.stdout) as {message: string}).message,
			/^The runtime of pnx-volume is not installed on this node/,
		);
	}

	const home = temporaryDirectory(t);
	mkdirSync(join(home, 'dist', 'bin'), {recursive: true});
	writeFileSync(join(home, 'dist', 'bin', 'driver.js'), '');
	const withoutNode = run(path, ['mount', '/x/v', '{}'], {PNX_VOLUME_HOME: home});
	t.regex((JSON.parse(withoutNode.stdout) as {message: string}).message, /has no Node.js in it/);
});

test('whatever the runtime prints by mistake never reaches the kubelet', t => {
	const path = installedDriver(t);
	const home = temporaryDirectory(t);
	mkdirSync(join(home, 'dist', 'bin'), {recursive: true});
	mkdirSync(join(home, 'bin'));
	symlinkSync(process.execPath, join(home, 'bin', 'node'));
	for (const source of [
		'process.exit(7)',
		'process.kill(process.pid, "SIGKILL")',
		'throw new Error("no")',
		'console.error("warning"); console.log("hello")',
		String.raw`process.stdout.write('{"status":"Success"}\n{"status":"Success"}\n')`,
		'console.log("(node:1) Warning"); console.log(JSON.stringify({status: "Success"}))',
	]) {
		writeFileSync(join(home, 'dist', 'bin', 'driver.js'), source);
		const {stdout, status} = run(path, ['unmount', '/x/v'], {PNX_VOLUME_HOME: home});
		t.is(status, 0, source);
		t.regex((JSON.parse(stdout) as {status: string; message: string}).message, /see its log on the node/, source);
	}
});

test('the launcher works when it is reached by a symbolic link, and from any directory', async t => {
	const node = createStandInHarness(t);
	const link = join(temporaryDirectory(t), 'volume');
	symlinkSync(driverPath, link);
	const {stdout} = run(link, ['unmount', node.podDirectory('uid-1')], {PNX_VOLUME_STATE_DIR: node.stateDirectory});
	t.is(stdout, '{"status":"Success"}\n');
});

test('a log that cannot be written is no reason to fail', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	t.is((await node.callWith({PNX_VOLUME_LOG: '/no/such/directory/log'}, 'init')).reply.status, 'Success');
	t.is(
		(
			await node.callWith(
				{PNX_VOLUME_LOG: '/no/such/directory/log'},
				'mount',
				directory,
				toKubeletJson(directory, {name: 'bucket-1'}),
			)
		).output,
		'{"status":"Success"}\n',
	);
	t.is(
		(await node.callWith({PNX_VOLUME_LOG: '/no/such/directory/log'}, 'unmount', directory)).output,
		'{"status":"Success"}\n',
	);
});

test('the launcher keeps to what dash and busybox understand', t => {
	t.notThrows(() => execFileSync('/bin/sh', ['-n', driverPath]));
	// Words of other shells.
	t.notRegex(readFileSync(driverPath, 'utf8'), /\[\[|\bfunction \w|\blocal \w|<<<|\$'|echo -e|\bsource \b/);
});
