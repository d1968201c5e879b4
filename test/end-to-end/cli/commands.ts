import {execFile, execFileSync} from 'node:child_process';
import {mkdirSync, readFileSync, readdirSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {optionTable} from '../../../src/model/option-table.ts';
import type {VolumeReport} from '../../../src/node/volumes/list-volumes.ts';
import {mountsAt, readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {createStandInHarness, type DriverHarness} from '../../support/driver.ts';

const commandPath = fileURLToPath(new URL('../../../dist/bin/pnx-volume.js', import.meta.url));

type Run = {readonly exitCode: number; readonly stdout: string; readonly stderr: string};

/** Runs the command line with a state directory of its own. */
const runCommand = async (node: DriverHarness | undefined, ...argv: readonly string[]): Promise<Run> => {
	const {promise, resolve} = Promise.withResolvers<Run>();
	const env = {...process.env, ...node?.variables};
	execFile(process.execPath, [commandPath, ...argv], {env}, (error, stdout, stderr) => {
		resolve({exitCode: typeof error?.code === 'number' ? error.code : 0, stdout, stderr});
	});
	return promise;
};

const directoryOf = (node: DriverHarness, name = 'files'): string => {
	const directory = join(dirname(node.stateDirectory), name);
	mkdirSync(directory);
	return directory;
};

test.serial('--help names every command, and mount --help every option with its default', async t => {
	const help = await runCommand(undefined, '--help');
	t.is(help.exitCode, 0);
	for (const command of ['mount <bucket> <dir>', 'unmount <dir>', 'status', 'provision <bucket>', 'dev-server']) {
		t.true(help.stdout.includes(command), command);
	}

	const mountHelp = await runCommand(undefined, 'mount', '--help');
	t.is(mountHelp.exitCode, 0);
	const text = mountHelp.stdout.replaceAll(/\s+/g, ' ');
	for (const definition of optionTable.filter(({name}) => name !== 'name')) {
		t.true(text.includes(`--${definition.name}`), definition.name);
		t.true(text.includes(definition.help.split(' ').slice(0, 4).join(' ')), definition.help);
	}

	t.true(text.includes('Examples:'));
});

for (const [argv, message] of [
	[[], /^pnx-volume: A command is missing/],
	[['mont'], /^pnx-volume: Unknown (argument|command): mont/],
	[['mount', 'my-files'], /Not enough non-option arguments/],
	[['mount', 'my-files', '/mnt', '--cache-sice', '1GiB'], /Unknown argument: cache-sice; did you mean --cache-size\?/],
	[['mount', 'my-files', '/mnt', '--bogus'], /Unknown argument: bogus \(/],
	[['mount', 'my-files', '/mnt', '--prefix'], /Not enough arguments following: prefix/],
	[['status', '--jsn'], /did you mean --json\?/],
	[['status', '--watch', 'often'], /--watch takes a number of seconds from 0\.1 to 3600: current value is "often"/],
	[['mount', 'my-files', '/mnt', '--part-size', 'big'], /Option "part-size" must be a size from/],
	[['mount', 'My_Files', '/mnt'], /"My_Files" cannot be a bucket name: it must be in lower case/],
	[['unmount', '/mnt', '--timeout', 'soon'], /Option "timeout" must be a duration/],
	[['dev-server', '--directory', '/tmp/x', '--port', '70000'], /--port must be a whole number from 0 to 65535/],
	[['dev-server'], /Missing required argument: directory/],
] as const) {
	test.serial(
		`"${['pnx-volume', ...argv].join(' ')}" is a mistake in usage: one line on stderr, exit code 2`,
		async t => {
			const {exitCode, stdout, stderr} = await runCommand(undefined, ...argv);
			t.is(exitCode, 2, stderr);
			t.is(stdout, '');
			t.regex(stderr, message);
			t.is(stderr.trim().split('\n').length, 1, stderr);
		},
	);
}

test.serial('mount --background returns when the directory is usable, status shows it, unmount ends it', async t => {
	const node = createStandInHarness(t);
	const directory = directoryOf(node);
	const mounted = await runCommand(node, 'mount', 'my-files', directory, '--background', '--prefix', '2024');
	t.is(mounted.exitCode, 0, mounted.stderr);
	t.is(mounted.stdout, `Mounted my-files at ${directory}; end it with: pnx-volume unmount ${directory}\n`);
	t.is(mountsAt(readMountTable(), directory).length, 1);
	writeFileSync(join(directory, 'file'), 'hello');

	const status = await runCommand(node, 'status');
	t.regex(
		status.stdout,
		new RegExp(`^VOLUME +PODS +HEALTH .*\\nmy-files/2024 +${directory} +healthy .* 0 +0 +- +\\d+ \\S+(?: \\w+)?\\n$`),
	);
	const [report] = JSON.parse((await runCommand(node, 'status', '--json')).stdout) as VolumeReport[];
	t.like(report, {bucket: 'my-files', prefix: '2024', health: 'healthy', dirtyBytes: 0});
	t.like(report!.directories[0], {path: directory, isMounted: true});

	const again = await runCommand(node, 'mount', 'my-files', directory, '--background');
	t.is(again.exitCode, 1);
	t.regex(again.stderr, /is mounted there already; unmount it first/);

	const unmounted = await runCommand(node, 'unmount', directory);
	t.is(unmounted.stdout, `Unmounted ${directory}\n`, unmounted.stderr);
	t.is(unmounted.exitCode, 0);
	t.deepEqual(readdirSync(directory), []);
	t.deepEqual(readdirSync(join(node.stateDirectory, 'volumes')), []);
	t.regex((await runCommand(node, 'status')).stdout, /^Nothing is mounted on this node/);
	t.deepEqual(JSON.parse((await runCommand(node, 'status', '--json')).stdout), []);
});

test.serial(
	'unmount fails while bytes are not in S3, and --force leaves them in the journal that status shows',
	async t => {
		const node = createStandInHarness(t);
		const directory = directoryOf(node);
		await runCommand(node, 'mount', 'dirty-files', directory, '--background');
		const waiting = await runCommand(node, 'unmount', directory, '--timeout', '5s');
		t.is(waiting.exitCode, 1);
		t.regex(
			waiting.stderr,
			/^Uploading: 4 KiB in 1 file left\npnx-volume: Cannot unmount .*: 4 KiB of bucket dirty-files are not in S3: .*403 AccessDenied/,
		);
		t.is(mountsAt(readMountTable(), directory).length, 1);

		const forced = await runCommand(node, 'unmount', directory, '--timeout', '5s', '--force');
		t.is(forced.exitCode, 0, forced.stderr);
		t.regex(forced.stdout, /Unmounted .*\nNot everything is in S3: .*\/staging keeps the rest/);
		t.deepEqual(mountsAt(readMountTable(), directory), []);
		t.regex((await runCommand(node, 'status')).stdout, /dirty-files: a journal of 27 bytes waits for the next mount/);

		t.is((await runCommand(node, 'mount', 'dirty-files', directory, '--background')).exitCode, 0);
		t.is(node.starts()[1]!.request.volumeDirectory, node.starts()[0]!.request.volumeDirectory);
	},
);

test.serial(
	'a directory belongs to the volume that is mounted there, not to those that have left a journal',
	async t => {
		const node = createStandInHarness(t);
		const directory = directoryOf(node);
		const leavers = ['leaves-one', 'leaves-two', 'leaves-three'];
		for (const bucket of leavers) {
			t.is((await runCommand(node, 'mount', bucket, directory, '--background')).exitCode, 0);
			process.kill(node.starts().at(-1)!.pid, 'SIGKILL');
			execFileSync('umount', ['-l', directory]);
		}

		t.is((await runCommand(node, 'mount', 'my-files', directory, '--background')).exitCode, 0);
		const reports = async (): Promise<string[]> =>
			(JSON.parse((await runCommand(node, 'status', '--json')).stdout) as VolumeReport[])
				.map(({bucket, health, directories}) => `${bucket} ${health} ${String(directories[0]?.isMounted)}`)
				.sort();
		const left = leavers.map(bucket => `${bucket} unmounted false`).sort();
		t.deepEqual(await reports(), [...left, 'my-files healthy true']);
		t.false((await runCommand(node, 'doctor')).stdout.includes(`unmount ${directory}`));

		const other = await runCommand(node, 'mount', 'other-files', directory, '--background');
		t.is(other.exitCode, 1);
		t.regex(other.stderr, /\(pnx-volume:my-files:[0-9a-f]{16}\) is mounted there already; unmount it first/);
		t.deepEqual(await reports(), [...left, 'my-files healthy true']);

		const unmounted = await runCommand(node, 'unmount', directory);
		t.is(unmounted.stdout, `Unmounted ${directory}\n`, unmounted.stderr);
		t.deepEqual(mountsAt(readMountTable(), directory), []);
		t.deepEqual(await reports(), left);
	},
);

test.serial('unmount of a directory where nothing is mounted says so', async t => {
	const node = createStandInHarness(t);
	const {exitCode, stderr} = await runCommand(node, 'unmount', directoryOf(node));
	t.is(exitCode, 1);
	t.regex(stderr, /^pnx-volume: Nothing is mounted at .*; "pnx-volume status" shows what is\n$/);
});

test.serial('mount fails in one line where there is no directory, or files are in it', async t => {
	const node = createStandInHarness(t);
	const directory = directoryOf(node);
	writeFileSync(join(directory, 'file'), '');
	for (const [path, message] of [
		[join(directory, 'absent'), /does not exist; create it first/],
		[directory, /is not empty/],
		['/no/such/parent', /does not exist; create it first/],
	] as const) {
		const {exitCode, stderr} = await runCommand(node, 'mount', 'my-files', path, '--background');
		t.is(exitCode, 1);
		t.regex(stderr, message);
		t.is(stderr.trim().split('\n').length, 1);
	}

	t.deepEqual(node.starts(), []);
});

test.serial('mount --background shows the reason of a daemon that fails, and leaves nothing', async t => {
	const node = createStandInHarness(t);
	const directory = directoryOf(node);
	const {exitCode, stderr} = await runCommand(node, 'mount', 'fails-files', directory, '--background');
	t.is(exitCode, 1);
	t.is(stderr, 'pnx-volume: Cannot open bucket: the access key is unknown to this server; check the Secret\n');
	t.deepEqual(readdirSync(join(node.stateDirectory, 'volumes')), []);
	t.deepEqual(readdirSync(directory), []);
});

test.serial('mount --background that fails leaves the journal of an earlier mount as it was', async t => {
	const node = createStandInHarness(t);
	const directory = directoryOf(node);
	const mount = async () => runCommand(node, 'mount', 'fails-files', directory, '--background');
	await mount();
	const {volumeDirectory} = node.starts()[0]!.request; // It was started.
	mkdirSync(join(volumeDirectory, 'staging'), {recursive: true});
	const journal = join(volumeDirectory, 'staging', 'journal');
	writeFileSync(journal, 'bytes that S3 does not have');
	t.is((await mount()).exitCode, 1);
	t.is(node.starts().length, 2);
	t.is(readFileSync(journal, 'utf8'), 'bytes that S3 does not have');
});

test.serial('status shows pods, and a daemon that is gone', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, {
		name: 'bucket-1',
		'kubernetes.io/pod.name': 'web-1',
		'kubernetes.io/pod.namespace': 'shop',
	});
	const healthy = await runCommand(node, 'status');
	t.regex(healthy.stdout, /bucket-1 +shop\/web-1 +healthy/);
	process.kill(node.starts()[0]!.pid, 'SIGKILL');
	const dead = await runCommand(node, 'status');
	t.regex(dead.stdout, /shop\/web-1 +dead/);
	t.regex(dead.stdout, /bucket-1: the daemon is gone, so every use of the directory fails/);
});
