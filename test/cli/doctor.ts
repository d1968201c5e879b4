import {execFile} from 'node:child_process';
import {chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import type {Check} from '../../src/doctor/check.ts';
import {checkFuseMounts} from '../../src/doctor/mount-checks.ts';
import {createDeadline} from '../../src/node/deadline.ts';
import {listVolumes} from '../../src/node/volumes/list-volumes.ts';
import {readMountTable} from '../../src/node/mounts/mount-table.ts';
import {createVolumeDirectory, volumePaths} from '../../src/node/volumes/volume-directory.ts';
import {readAllVolumeStates, writeVolumeState} from '../../src/node/volumes/volume-state.ts';
import {devCredentials, spawnTestDevServer, type SpawnedDevServer} from '../support/dev-server.ts';
import {createDriverHarness, driverPath, type DriverHarness} from '../support/driver.ts';

const commandPath = fileURLToPath(new URL('../../dist/bin/pnx-volume.js', import.meta.url));
const home = join(import.meta.dirname, '../..');

type Diagnosis = {
	readonly exitCode: number;
	readonly stdout: string;
	readonly stderr: string;
	readonly check: (name: string) => Check;
};

/** Runs `doctor` with a state directory of its own and the credentials of the test's server. */
const runDoctor = async (
	variables: Readonly<Record<string, string>>,
	...argv: readonly string[]
): Promise<Diagnosis> => {
	const {promise, resolve} = Promise.withResolvers<Diagnosis>();
	const env = {
		...process.env,
		AWS_ACCESS_KEY_ID: devCredentials.accessKeyId,
		AWS_SECRET_ACCESS_KEY: devCredentials.secretAccessKey,
		AWS_EC2_METADATA_DISABLED: 'true',
		AWS_CONFIG_FILE: '/nonexistent',
		AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
		PNX_VOLUME_HOME: home,
		...variables,
	};
	execFile(process.execPath, [commandPath, 'doctor', ...argv], {env}, (error, stdout, stderr) => {
		resolve({
			exitCode: typeof error?.code === 'number' ? error.code : 0,
			stdout,
			stderr,
			check(name) {
				const {checks} = JSON.parse(stdout) as {checks: Check[]};
				return checks.find(check => check.name === name) ?? {name, status: 'skipped', found: 'no such check'};
			},
		});
	});
	return promise;
};

/** A kubelet's plugin directory, with the driver in it. */
const createPluginDirectory = (t: ExecutionContext): {directory: string; driver: string} => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-plugins-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	mkdirSync(join(directory, 'pnx~volume'));
	const driver = join(directory, 'pnx~volume', 'volume');
	copyFileSync(driverPath, driver);
	chmodSync(driver, 0o755);
	return {directory, driver};
};

/** A directory on tmpfs, where this machine has one. */
const createMemoryDirectory = (t: ExecutionContext): string => {
	const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : '/run', 'pnx-run-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	return directory;
};

const base64 = (text: string) => Buffer.from(text).toString('base64');

const mountPod = async (
	t: ExecutionContext,
	node: DriverHarness,
	{endpoint, bucket, credentials}: SpawnedDevServer,
): Promise<string> => {
	const directory = node.podDirectory('uid-1');
	const {reply} = await node.mount(directory, {
		name: bucket,
		endpoint,
		'path-style': 'true',
		'kubernetes.io/secret/access-key-id': base64(credentials.accessKeyId),
		'kubernetes.io/secret/secret-access-key': base64(credentials.secretAccessKey),
	});
	t.is(reply.status, 'Success', reply.message);
	return directory;
};

/** The mounts of this test alone: others on the machine may be dead on purpose. */
const checkOwnFuseMounts = async ({stateDirectory}: DriverHarness, knownIn = stateDirectory): Promise<Check> => {
	const table = readMountTable().filter(({path}) => path.startsWith(`${dirname(stateDirectory)}/`));
	return checkFuseMounts(
		{table, states: readAllVolumeStates(knownIn), reports: await listVolumes(knownIn)},
		createDeadline(300_000),
	);
};

test.serial('doctor finds nothing wrong with a node whose pod has a volume, and exits with 0', async t => {
	const server = await spawnTestDevServer(t);
	const node = createDriverHarness(t, {PNX_VOLUME_RUN_DIR: createMemoryDirectory(t)});
	const plugins = createPluginDirectory(t);
	const directory = await mountPod(t, node, server);
	const flags = [
		directory,
		'--plugin-dir',
		plugins.directory,
		'--bucket',
		server.bucket,
		'--endpoint',
		server.endpoint,
		'--path-style',
		'--write',
	];
	const {exitCode, stdout, stderr} = await runDoctor(node.variables, ...flags, '--json');
	t.is(stderr, '');
	const {checks, ok} = JSON.parse(stdout) as {checks: Check[]; ok: boolean};
	t.deepEqual(
		checks.filter(({status, name}) => status !== 'ok' && name !== 'disk'),
		[],
	);
	t.deepEqual(
		checks.map(({name}) => name),
		[
			'fuse-device',
			'fuse-libraries',
			'driver',
			'runtime',
			'state-directory',
			'run-directory',
			'disk',
			'left-overs',
			'staging',
			'half-written-files',
			'daemons',
			'fuse-mounts',
			'pod-mounts',
			'log',
			'credentials',
			'endpoint',
			'bucket',
			'bucket-list',
			'bucket-write',
			'clock',
			'conditional-writes',
		],
	);
	t.true(ok);
	t.is(exitCode, 0);
	t.false(stdout.includes(devCredentials.secretAccessKey));
	t.is(await server.countRequests({operation: 'DeleteObject'}), 1);
	t.deepEqual(
		(await server.listRequests({operation: 'PutObject'})).map(({status}) => status),
		[200, 412],
	);

	const forPeople = await runDoctor(node.variables, directory, '--plugin-dir', plugins.directory);
	t.is(forPeople.exitCode, 0);
	t.regex(forPeople.stdout, /^ok {7}fuse-device {9}\/dev\/fuse opens\n/);
	t.regex(forPeople.stdout, /\n\n14 checks: (?:nothing to do|1 warning \(disk\))\n$/);
	t.is(
		(await checkOwnFuseMounts(node, '/nonexistent')).status,
		'ok',
		'A daemon of another state directory answers, too',
	);
});

test.serial('doctor says that a volume is dead whose daemon was killed, and exits with 1', async t => {
	const server = await spawnTestDevServer(t);
	const node = createDriverHarness(t);
	const directory = await mountPod(t, node, server);
	process.kill(readAllVolumeStates(node.stateDirectory)[0]!.daemon!.pid, 'SIGKILL'); // It has just mounted.
	const {exitCode, check} = await runDoctor(node.variables, directory, '--json');
	t.is(exitCode, 1);
	t.is(check('daemons').status, 'failed');
	t.regex(check('daemons').found, /the daemon is gone, and every use of .*uid-1.* fails/);
	t.regex(check('daemons').remedy!, /^run "pnx-volume heal"/);
	t.is(check('fuse-mounts').status, 'failed');
	t.regex(check('fuse-mounts').found, /is a dead mount \(ENOTCONN\): its daemon is gone/);
	t.is(
		check('fuse-mounts').remedy,
		'pnx-volume heal',
		"Not an unmount of what pods' mounts are made of, which is refused",
	);
	const {stdout} = await runDoctor(node.variables, directory, '--plugin-dir', createPluginDirectory(t).directory);
	t.regex(stdout, /\n {29}-> run "pnx-volume heal" \(the agent/);
	t.regex(stdout, /: 2 failed \(daemons, fuse-mounts\)/);

	t.is((await node.unmount(directory)).reply.status, 'Success');
	await mountPod(t, node, server);
	t.is((await runDoctor(node.variables, directory, '--json')).check('daemons').status, 'ok');
});

test.serial('doctor says that a volume hangs whose daemon is stopped, and does not hang itself', async t => {
	const server = await spawnTestDevServer(t);
	const node = createDriverHarness(t);
	const directory = await mountPod(t, node, server);
	const {volumeId, daemon} = readAllVolumeStates(node.stateDirectory)[0]!; // It has just mounted.
	const {pid} = daemon!;
	process.kill(pid, 'SIGSTOP');
	const {exitCode, check} = await runDoctor(node.variables, volumeId, '--json');
	t.is(exitCode, 1);
	t.regex(check('daemons').found, new RegExp(`the daemon \\(pid ${pid}\\) lives and does not answer`));
	t.regex(check('fuse-mounts').found, /hangs: its daemon does not answer the kernel/);
	t.regex(check('pod-mounts').found, /^1 pod sees its volume/);
	process.kill(pid, 'SIGCONT');
	t.is((await runDoctor(node.variables, directory, '--json')).check('daemons').status, 'ok');
});

test.serial(
	'doctor lists what waits on the node: journals, refused bytes, half-written files, empty volumes',
	async t => {
		const node = createDriverHarness(t);
		const addVolume = (volumeId: string, bucket: string) => {
			const paths = volumePaths(node.stateDirectory, volumeId);
			createVolumeDirectory(paths);
			writeVolumeState(paths.stateFile, {
				formatVersion: 1,
				volumeId,
				bucket,
				prefix: '',
				kind: 'directory',
				mountPoint: '/nonexistent/mount',
				pods: [],
			});
			return paths;
		};

		const waiting = addVolume('00000000000000aa', 'waiting');
		writeFileSync(join(waiting.staging, '00000000000001-0000000000.json'), '{}\n');
		writeFileSync(join(waiting.staging, '00000000000001-0000000001.json.tmp'), '{');
		writeFileSync(`${waiting.stateFile}.4194304.tmp`, '{'); // One more than the highest pid.
		const refused = addVolume('00000000000000bb', 'refused');
		mkdirSync(join(refused.staging, 'failed'));
		writeFileSync(join(refused.staging, 'failed', '00000000000001-0000000000.data'), 'bytes');
		addVolume('00000000000000cc', 'empty');
		mkdirSync(volumePaths(node.stateDirectory, '00000000000000dd').staging, {recursive: true});

		const {check} = await runDoctor(node.variables, '--json');
		t.is(check('staging').status, 'warning');
		t.regex(
			check('staging').found,
			/\(refused\): 5 bytes that S3 refused for good, or that a loss of power may have damaged, are in .*failed; .*\(waiting\): 1 file waits in the journal .*staging \(4 bytes\)$/,
		);
		t.regex(check('staging').remedy!, /mount the volume again on this node/);
		t.regex(
			check('left-overs').found,
			/\(empty\) has no daemon and no mount.*; .*dd has no state\.json, and nothing of it is mounted$/,
		);
		t.regex(
			check('half-written-files').found,
			/state\.json\.4194304\.tmp is a temporary file that was never finished; .*0000000001\.json\.tmp is a temporary file that was never finished$/,
		);

		writeFileSync(volumePaths(node.stateDirectory, '00000000000000dd').stateFile, '{"formatVersion":1,');
		const damaged = (await runDoctor(node.variables, '--json')).check('left-overs');
		t.is(damaged.status, 'failed');
		t.regex(damaged.found, /dd\/state\.json is damaged/);
		t.regex(damaged.remedy ?? '', /delete nothing below .*dd:/);
		rmSync(volumePaths(node.stateDirectory, '00000000000000dd').directory, {recursive: true});

		const one = await runDoctor(
			node.variables,
			'00000000000000bb',
			'--plugin-dir',
			createPluginDirectory(t).directory,
			'--json',
		);
		t.is(one.check('staging').status, 'warning');
		t.false(one.check('staging').found.includes('waiting'));
		t.is(one.check('half-written-files').status, 'ok');
		t.is(one.exitCode, 0, 'Warnings are no failure');
		const none = await runDoctor(node.variables, '/nonexistent/files', '--json');
		t.is(none.exitCode, 1);
		t.regex(none.check('volume').found, /no volume of this node has the id "\/nonexistent\/files"/);
	},
);

test.serial('doctor runs the driver in the plugin directory and says what is wrong with it', async t => {
	const node = createDriverHarness(t);
	const {directory, driver} = createPluginDirectory(t);
	const look = async (): Promise<Check> =>
		(await runDoctor(node.variables, '--plugin-dir', directory, '--json')).check('driver');
	t.like(await look(), {status: 'ok', found: `${driver} answers "init"`});
	t.regex(node.log(), /"call":"init","path":"-","durationMs":\d+,"status":"Success"/);

	writeFileSync(join(dirname(driver), 'volume.bak'), '');
	t.regex((await look()).found, /also holds volume\.bak$/);
	rmSync(join(dirname(driver), 'volume.bak'));
	for (const [script, found] of [
		[
			'echo "warning: no locale" >&2; echo \'{"status":"Success","capabilities":{"attach":false}}\'',
			/does not answer "init": its output is not one JSON value/,
		],
		['echo \'{"status":"Failure"}\'', /its status is "Failure"/],
		['echo \'{"status":"Success"}\'', /does not say "attach": false/],
		['echo broken; exit 3', /does not answer "init": broken;/],
	] as const) {
		writeFileSync(driver, `#!/bin/sh\n${script}\n`);
		const check = await look();
		t.is(check.status, 'failed');
		t.regex(check.found, found);
		t.regex(check.found, /is not the driver of this pnx-volume/);
	}

	chmodSync(driver, 0o644);
	t.regex((await look()).found, /is not an executable file$/);
	rmSync(driver);
	t.like(await look(), {status: 'failed', found: `${driver} does not exist`});
	t.regex((await look()).remedy!, /^install -D -m 0755 .*\/driver\/volume '.*pnx~volume\/volume'/);
});

test.serial('doctor says what is wrong with the state directory and the log', async t => {
	const node = createDriverHarness(t);
	mkdirSync(node.stateDirectory, {mode: 0o755});
	chmodSync(node.stateDirectory, 0o755);
	const {check} = await runDoctor(
		{...node.variables, PNX_VOLUME_LOG: '/nonexistent/log', PNX_VOLUME_RUN_DIR: '/proc/pnx-run'},
		'--json',
	);
	t.is(check('run-directory').status, 'warning');
	t.regex(check('run-directory').found, /cannot be started again for pods with a Secret/);
	t.like(check('state-directory'), {status: 'warning', remedy: `chmod 0700 ${node.stateDirectory}`});
	t.regex(check('log').found, /\/nonexistent\/log cannot be written to: ENOENT/);
	const inProc = await runDoctor({...node.variables, PNX_VOLUME_STATE_DIR: '/proc/pnx-volume'}, '--json');
	t.is(inProc.exitCode, 1);
	t.is(inProc.check('disk').status, 'failed');
});

test.serial(
	'doctor --bucket tells a missing bucket, refused writes, a server without conditions, wrong keys, and a server that is gone',
	async t => {
		const server = await spawnTestDevServer(t);
		const node = createDriverHarness(t);
		const place = ['--endpoint', server.endpoint, '--path-style', '--json'];
		const look = async (...argv: readonly string[]) => runDoctor(node.variables, ...argv, ...place);
		const absent = await look('--bucket', 'absent-files', '--write');
		t.like(absent.check('bucket'), {status: 'warning', found: '"absent-files" does not exist yet'});
		t.is(absent.check('bucket-write').status, 'skipped');
		t.is((await look('--bucket', 'absent-files', '--no-provision')).check('bucket').status, 'failed');

		t.is((await look('--bucket', server.bucket)).check('bucket-write').found, 'give --write to try it');
		t.is(await server.countRequests({operation: 'PutObject'}), 0);

		await server.setFaults({errors: [{operation: 'PutObject', status: 403, code: 'AccessDenied'}]});
		const refused = await look('--bucket', server.bucket, '--write');
		t.is(refused.exitCode, 1);
		t.is(refused.check('bucket-write').status, 'failed');
		t.regex(refused.check('bucket-write').remedy!, /allow s3:ListBucket/);

		await server.setFaults({errors: [{operation: 'PutObject', status: 501, code: 'NotImplemented', count: 1}]});
		const unconditional = await look('--bucket', server.bucket, '--write', '--prefix', 'some/where');
		t.is(unconditional.check('bucket-write').status, 'ok');
		t.like(unconditional.check('conditional-writes'), {status: 'warning', found: 'the server refuses If-None-Match'});
		t.true(
			(await server.listRequests({operation: 'DeleteObject'})).every(({key}) =>
				/^(?:some\/where\/)?\.pnx-volume-doctor-/.test(key ?? ''),
			),
		);

		await server.setFaults({errors: [{operation: 'DeleteObject', status: 403, code: 'AccessDenied'}]});
		t.regex(
			(await look('--bucket', server.bucket, '--write')).check('bucket-write').found,
			/; the object \.pnx-volume-doctor-\S+ stays$/,
		);
		await server.setFaults({});

		const wrongKey = await runDoctor(
			{...node.variables, AWS_ACCESS_KEY_ID: 'unknown'},
			'--bucket',
			server.bucket,
			...place,
		);
		t.is(wrongKey.check('credentials').found, 'from environment variables');
		t.is(wrongKey.check('bucket').remedy, 'check the access key and its secret; renew temporary credentials');
		const noKey = await runDoctor(
			{...node.variables, AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: ''},
			'--bucket',
			server.bucket,
			...place,
		);
		t.is(noKey.check('credentials').status, 'failed');
		t.is(noKey.check('endpoint').status, 'ok');

		await server.stop();
		const gone = await look('--bucket', server.bucket);
		t.is(gone.exitCode, 1);
		t.regex(gone.check('endpoint').found, /does not answer: connect ECONNREFUSED/);
		t.is(gone.check('bucket').status, 'skipped');
	},
);

for (const [argv, message] of [
	[['--write'], /--write needs --bucket/],
	[['--endpoint', 'http://localhost'], /--endpoint needs --bucket/],
	[['--bucket', 'Wrong_Name'], /cannot be a bucket name/],
] as const) {
	test.serial(`"doctor ${argv.join(' ')}" is a mistake in usage: exit code 2`, async t => {
		const {exitCode, stdout, stderr} = await runDoctor({}, ...argv);
		t.is(exitCode, 2, stderr);
		t.is(stdout, '');
		t.regex(stderr, message);
	});
}
