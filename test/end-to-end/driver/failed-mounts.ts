import {existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import test from 'ava';
import {mountsAt, readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {readProcessIdentity} from '../../../src/node/host/process-identity.ts';
import {createStandInHarness, toKubeletJson, type DriverHarness} from '../../support/driver.ts';

const isAlive = (pid: number) => readProcessIdentity(pid) !== undefined;

/** Nothing of a mount may be left: no volume, no lock, no mount anywhere below the node's directories. */
const leftovers = (node: DriverHarness): string[] => [
	...['volumes', 'locks'].flatMap(name =>
		existsSync(join(node.stateDirectory, name)) ? readdirSync(join(node.stateDirectory, name)) : [],
	),
	...readMountTable()
		.filter(({path}) => path.startsWith(dirname(node.stateDirectory)))
		.map(({path}) => path),
];

for (const [bucket, how, message] of [
	['fails-1', 'says why', /^Cannot open bucket: the access key is unknown to this server; check the Secret$/],
	['dies-1', 'ends without a word', /ended before it was ready; see .*driver\.log$/],
	['mountless-1', 'is ready without a mount', /nothing is mounted; see/],
] as const) {
	test.serial(`mount fails and leaves nothing behind when the daemon ${how}`, async t => {
		const node = createStandInHarness(t);
		const directory = node.podDirectory('uid-1');
		const {reply, exitCode} = await node.mount(directory, {name: bucket});
		t.is(reply.status, 'Failure');
		t.regex(reply.message!, message);
		t.is(exitCode, 0);
		t.deepEqual(leftovers(node), []);
		t.false(node.starts().some(({pid}) => isAlive(pid)));
		t.deepEqual(readdirSync(directory), []);
	});
}

test.serial('a mount that fails leaves the journal of an earlier one as it was', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	t.is((await node.mount(directory, {name: 'fails-1'})).reply.status, 'Failure');
	const {volumeDirectory} = node.starts()[0]!.request; // It was started.
	const staging = join(volumeDirectory, 'staging');
	mkdirSync(staging, {recursive: true});
	writeFileSync(join(staging, 'journal'), 'bytes that S3 does not have');

	// Before anything of the volume is written down.
	writeFileSync(join(directory, 'file'), '');
	t.regex((await node.mount(directory, {name: 'fails-1'})).reply.message!, /the directory is not empty/);
	t.is(readFileSync(join(staging, 'journal'), 'utf8'), 'bytes that S3 does not have');
	t.deepEqual(readdirSync(volumeDirectory), ['staging']);

	// When its daemon has been started.
	rmSync(join(directory, 'file'));
	t.regex((await node.mount(directory, {name: 'fails-1'})).reply.message!, /the access key is unknown/);
	t.is(node.starts().length, 2);
	t.is(readFileSync(join(staging, 'journal'), 'utf8'), 'bytes that S3 does not have');
	t.deepEqual(readdirSync(volumeDirectory).sort(), ['staging', 'state.json'], 'The watch needs the state to upload it');
});

test.serial('mount fails at its deadline, and kills a daemon that does not become ready', async t => {
	const node = createStandInHarness(t, {PNX_VOLUME_MOUNT_TIMEOUT_MS: '4000'});
	const {reply, durationMs} = await node.mount(node.podDirectory('uid-1'), {name: 'hangs-1'});
	t.is(reply.status, 'Failure');
	t.regex(reply.message!, /did not become ready in time; is S3 reachable/);
	t.true(durationMs < 90_000, `${durationMs} ms`);
	t.deepEqual(leftovers(node), []);
	t.false(isAlive(node.starts()[0]!.pid));
});

test.serial("a secret that a daemon puts into its message does not reach the pod's event or the log", async t => {
	const node = createStandInHarness(t);
	const {output} = await node.mount(node.podDirectory('uid-1'), {
		name: 'leaks-1',
		'kubernetes.io/secret/accessKey': 'QUtJRA==',
		'kubernetes.io/secret/secretKey': 'aHVzaC1odXNo',
	});
	t.is(output, '{"status":"Failure","message":"Cannot sign with [secret]"}\n');
	t.false(node.log().includes('hush'));
});

for (const [what, options, message] of [
	[
		'an unknown option',
		{name: 'bucket-1', cache_sice: '1GiB'},
		/^Unknown option "cache_sice"; did you mean "cache-size"\?$/,
	],
	[
		'a malformed option',
		{name: 'bucket-1', 'part-size': 'big'},
		/^Option "part-size" must be a size from .*: current value is "big"$/,
	],
	['no bucket', {}, /^Option "name" is missing/],
	[
		'a Secret without keys',
		{name: 'bucket-1', 'kubernetes.io/secret/password': 'aHVzaA=='},
		/has no key "access-key-id"/,
	],
] as const) {
	test.serial(`mount fails before it starts anything when there is ${what}`, async t => {
		const node = createStandInHarness(t);
		const {reply, exitCode} = await node.mount(node.podDirectory('uid-1'), options);
		t.is(reply.status, 'Failure');
		t.regex(reply.message!, message);
		t.is(exitCode, 0);
		t.deepEqual(node.starts(), []);
		t.deepEqual(leftovers(node), []);
	});
}

test.serial('mount fails on malformed JSON, without quoting it', async t => {
	const node = createStandInHarness(t);
	for (const json of ['', '{"name":"bucket-1","kubernetes.io/secret/secretKey":"aHVzaA=="', 'aHVzaA==']) {
		const {reply, output} = await node.call('mount', node.podDirectory('uid-1'), json);
		t.is(reply.status, 'Failure');
		t.regex(reply.message!, /not valid JSON/);
		t.false(output.includes('aHVzaA'));
	}
});

test.serial('mount takes JSON of 100 KB with every character that a shell might stumble over', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	const prefix = String.raw`a"b'c $x $(touch /tmp/pwned) \n %s ${'`id`'} <&> ü é`;
	const {reply} = await node.mount(directory, {name: 'bucket-1', prefix, 'kubernetes.io/filler': 'x'.repeat(100_000)});
	t.is(reply.status, 'Success');
	t.is(node.starts()[0]!.request.options['prefix'], prefix);
	await node.unmount(directory);
});

test.serial('mount makes a missing directory, and takes it away again when it fails', async t => {
	const node = createStandInHarness(t);
	const directory = join(dirname(node.podDirectory('uid-1')), 'absent');
	t.is((await node.mount(directory, {name: 'fails-1'})).reply.status, 'Failure');
	t.false(existsSync(directory));
	t.is((await node.mount(directory, {name: 'bucket-1'})).reply.status, 'Success');
	t.is((await node.unmount(directory)).reply.status, 'Success');
});

test.serial(
	'mount fails where the parent is missing, and at files, links and directories with files in them',
	async t => {
		const node = createStandInHarness(t);
		const directory = node.podDirectory('uid-1');
		const cases: Array<[string, RegExp]> = [
			['/no/such/parent/pods/uid-1/volumes/pnx~volume/v', /its parent directory does not exist/],
			[join(dirname(directory), 'file'), /it is not a directory/],
			[join(dirname(directory), 'link'), /it is a symbolic link/],
			[directory, /the directory is not empty \(it holds "file"\)/],
		];
		writeFileSync(join(directory, 'file'), '');
		writeFileSync(join(dirname(directory), 'file'), '');
		symlinkSync('/tmp', join(dirname(directory), 'link'));
		for (const [path, message] of cases) {
			const {reply} = await node.mount(path, {name: 'bucket-1'});
			t.is(reply.status, 'Failure', path);
			t.regex(reply.message!, message);
		}

		t.deepEqual(node.starts(), []);
		t.deepEqual(leftovers(node), []);
	},
);

test.serial('mount and unmount follow a symbolic link above the pods, as where /var/lib/kubelet is one', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	const link = join(dirname(node.kubeletDirectory), 'linked');
	symlinkSync(node.kubeletDirectory, link);
	const linked = directory.replace(node.kubeletDirectory, link);
	t.is((await node.mount(linked, {name: 'bucket-1'})).reply.status, 'Success');
	t.is(mountsAt(readMountTable(), directory).length, 1);
	t.is((await node.unmount(linked)).reply.status, 'Success');
	t.deepEqual(leftovers(node), []);
});

test.serial("mount fails clearly when the state directory's path is too long for a socket", async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	const long = join(dirname(node.stateDirectory), 'x'.repeat(80));
	const {reply} = await node.callWith(
		{PNX_VOLUME_STATE_DIR: long},
		'mount',
		directory,
		toKubeletJson(directory, {name: 'bucket-1'}),
	);
	t.is(reply.status, 'Failure');
	t.regex(reply.message!, /bytes too long for the Unix socket .* set PNX_VOLUME_STATE_DIR to a shorter one/);
	t.deepEqual(node.starts(), []);
});

test.serial('mount fails clearly when the state directory cannot be made', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	const file = join(dirname(node.stateDirectory), 'file');
	writeFileSync(file, '');
	const {reply, output} = await node.callWith(
		{PNX_VOLUME_STATE_DIR: join(file, 'state')},
		'mount',
		directory,
		toKubeletJson(directory, {name: 'bucket-1'}),
	);
	t.is(reply.status, 'Failure', output);
	t.regex(reply.message!, /ENOTDIR: not a directory/);
	mkdirSync(node.stateDirectory, {recursive: true});
});

test.serial('a setting of the environment that is not a number is a Failure that names it', async t => {
	const node = createStandInHarness(t, {PNX_VOLUME_MOUNT_TIMEOUT_MS: 'soon'});
	const {reply, exitCode} = await node.mount(node.podDirectory('uid-1'), {name: 'bucket-1'});
	t.is(exitCode, 0);
	t.regex(reply.message!, /^PNX_VOLUME_MOUNT_TIMEOUT_MS must be a number of milliseconds/);
	t.regex(node.log(), /"status":"Failure","err":\{"message":"PNX_VOLUME_MOUNT_TIMEOUT_MS must be/);
});
