/**
The archive of `npm run package` on a host that has a kernel with FUSE, busybox and nothing else: the test's own
root directory, in which neither a C library nor Node.js nor /etc exists. The driver is called as the kubelet calls
it, with an empty environment.
*/
import {execFile, spawnSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {GetObjectCommand} from '@aws-sdk/client-s3';
import anyTest, {type ExecutionContext} from 'ava';
import {formatReply} from '../../../src/flexvolume/format-reply.ts';
import {readAllVolumeStates} from '../../../src/node/volumes/volume-state.ts';
import {findBusybox, startBareHost, type BareHost} from './support/bare-host.ts';
import {createTestClient, spawnTestDevServer, type SpawnedDevServer} from '../../support/dev-server.ts';
import {toKubeletJson} from '../../support/driver.ts';
import {isMet, root, testThatNeeds} from '../../support/needs.ts';

const run = promisify(execFile);
const checkout = join(import.meta.dirname, '..', '..', '..');
const temporary = mkdtempSync(join(tmpdir(), 'pnx-package-'));
const busybox = isMet(root) ? await findBusybox(join(temporary, 'busybox')) : 'only root can mount';
const {serial: test} = testThatNeeds(root);
const {serial: testOnBareHost} = testThatNeeds(root, {
	what: 'busybox',
	missing: typeof busybox === 'string' ? busybox : undefined,
});

const mebibyte = 2 ** 20;
const succeeded = '{"status":"Success"}\n';
const buildMs = 600_000;

/** What `npm run package` has made, in a directory of ours. */
const findPackage = (): {name: string; treePath: string; archivePath: string} => {
	// The hook before all tests has made it.
	const archive = readdirSync(join(temporary, 'build')).find(entry => entry.endsWith('.tar.gz'))!;
	const name = archive.replace(/\.tar\.gz$/, '');
	return {name, treePath: join(temporary, 'build', name), archivePath: join(temporary, 'build', archive)};
};

const startHost = async (t: ExecutionContext): Promise<BareHost> => {
	// Without one, the test is skipped.
	const host = await startBareHost({...findPackage(), busyboxPath: (busybox as {path: string}).path});
	t.teardown(host.close);
	return host;
};

/** A pod's directory, as the kubelet makes it before `mount`: where the host sees it, and where this process does. */
const podDirectory = (host: BareHost, podUid: string): {path: string; outerPath: string} => {
	const path = `/var/lib/kubelet/pods/${podUid}/volumes/pnx~volume/v`;
	mkdirSync(join(host.root, path), {recursive: true, mode: 0o750});
	return {path, outerPath: join(host.root, path)};
};

const optionsFor = (
	path: string,
	{endpoint, bucket, credentials}: SpawnedDevServer,
	more: Readonly<Record<string, string>> = {},
): string =>
	toKubeletJson(path, {
		'kubernetes.io/secret/access-key-id': Buffer.from(credentials.accessKeyId).toString('base64'),
		'kubernetes.io/secret/secret-access-key': Buffer.from(credentials.secretAccessKey).toString('base64'),
		name: bucket,
		endpoint,
		'path-style': 'true',
		...more,
	});

const objectText = async (t: ExecutionContext, server: SpawnedDevServer, key: string): Promise<string> => {
	const {Body} = await createTestClient(t, server).send(new GetObjectCommand({Bucket: server.bucket, Key: key}));
	return Body!.transformToString(); // A GET that succeeds has a body.
};

const stateOf = (host: BareHost) => readAllVolumeStates(join(host.root, 'var', 'lib', 'pnx-volume'));

/** Whether the file system that the host lies in knows immutable directories. */
const canBeImmutable = (host: BareHost): boolean => {
	const directory = join(host.root, 'mnt');
	const isKnown = spawnSync('chattr', ['+i', directory]).status === 0;
	spawnSync('chattr', ['-i', directory]);
	return isKnown;
};

/** Nothing of a volume is left: no mount, no process, no state. */
const assertNothingLeft = async (t: ExecutionContext, host: BareHost): Promise<void> => {
	const {output} = await host.shell('cat /proc/mounts; ps');
	t.notRegex(output, /fuse\.pnx|daemon\.js/);
	t.deepEqual(stateOf(host), []);
};

anyTest.before(async t => {
	t.timeout(buildMs);
	if (isMet(root)) {
		await run('sh', ['scripts/package', join(temporary, 'build')], {cwd: checkout});
	}
});

anyTest.after.always(() => rmSync(temporary, {recursive: true, force: true}));

test('the archive has at most 60 MiB and unpacks into one directory, named after version and architecture', async t => {
	const {name, archivePath} = findPackage();
	t.regex(name, /^pnx-volume-\d+\.\d+\.\d+\S*-linux-(?:x64|arm64)$/);
	t.true(statSync(archivePath).size <= 60 * mebibyte, `${statSync(archivePath).size} bytes`);
	const {stdout} = await run('tar', ['-tzf', archivePath]);
	t.deepEqual(
		stdout.split('\n').filter(path => path !== '' && !path.startsWith(`${name}/`)),
		[],
	);
});

test('on a host with a C library of its own, the runtime loads its own libraries only, and leaves no trace in the environment', async t => {
	const {treePath} = findPackage();
	const script = `require(process.argv[1]);
		const maps = fs.readFileSync('/proc/self/maps', 'utf8').split('\\n').map(line => line.slice(line.indexOf('/'))).filter(path => /^\\/.*(\\.so|\\.node)/.test(path));
		console.log(JSON.stringify({libraries: [...new Set(maps)], variables: Object.keys(process.env), executable: process.execPath}))`;
	const {stdout} = await run(
		join(treePath, 'bin', 'node'),
		['-e', script, join(treePath, 'dist', 'bin', 'fuse.node')],
		{env: {}},
	);
	const {libraries, variables, executable} = JSON.parse(stdout) as {
		libraries: string[];
		variables: string[];
		executable: string;
	};
	t.true(
		libraries.some(path => path.endsWith('/libfuse3.so.3')) && libraries.some(path => path.endsWith('/libc.so.6')),
		stdout,
	);
	t.deepEqual(
		[...libraries, executable].filter(path => !path.startsWith(`${treePath}/`)),
		[],
	);
	t.deepEqual(
		variables.filter(variable => variable !== 'PWD'),
		['PATH'],
	);
});

testOnBareHost(
	'on a host with nothing but busybox, init, mount, read, write and unmount work as the kubelet calls them',
	async t => {
		const host = await startHost(t);
		const server = await spawnTestDevServer(t);
		t.regex((await host.shell('ls /etc /lib /lib64 /usr')).output, /^(?:ls: \/\w+: No such file or directory\n){4}$/);
		t.is((await host.driver('init')).output, formatReply({outcome: 'initialised'}));

		const [first, second] = [podDirectory(host, 'uid-1'), podDirectory(host, 'uid-2')];
		t.is((await host.driver('mount', first.path, optionsFor(first.path, server))).output, succeeded);
		t.is((await host.driver('mount', second.path, optionsFor(second.path, server))).output, succeeded);
		const {output} = await host.shell(
			'cd "$1" && echo hello >greeting && mkdir dir && echo more >>greeting && mv greeting dir/ && cat "$2/dir/greeting" && ls -l dir',
			[first.path, second.path],
		);
		t.regex(output, /^hello\nmore\ntotal 1\n-rw-\S+ +1 0 +0 +11 .* greeting\n$/);
		t.is(await objectText(t, server, 'dir/greeting'), 'hello\nmore\n');

		// setpriv and chattr came along, too: busybox has only namesakes of them. What is below the mount, only this
		// process sees.
		const {output: privileges} = await host.shell('grep -E "CapBnd|NoNewPrivs" "/proc/$1/status"', [
			String(stateOf(host)[0]!.daemon!.pid),
		]); // One volume is mounted.
		t.is(privileges, 'CapBnd:\t0000000000280204\nNoNewPrivs:\t1\n');
		if (canBeImmutable(host)) {
			t.throws(() => writeFileSync(join(first.outerPath, 'file'), ''), {code: 'EPERM'});
		}

		t.is((await host.driver('unmount', first.path)).output, succeeded);
		t.is((await host.shell('cat "$1/dir/greeting"', [second.path])).output, 'hello\nmore\n');
		t.is((await host.driver('unmount', second.path)).output, succeeded);
		await assertNothingLeft(t, host);
		t.notThrows(() => rmdirSync(first.outerPath));
		t.notThrows(() => rmdirSync(second.outerPath));
	},
);

testOnBareHost(
	'on a host with nothing but busybox, the mount of a daemon that was killed with -9 is taken away, and one that is read-only refuses writes',
	async t => {
		const host = await startHost(t);
		const server = await spawnTestDevServer(t);
		const {path} = podDirectory(host, 'uid-1');
		t.is((await host.driver('mount', path, optionsFor(path, server))).output, succeeded);
		// One volume is mounted, and its daemon was alive.
		await host.shell('kill -9 "$1"', [String(stateOf(host)[0]!.daemon!.pid)]);
		// ENOTCONN; ECONNABORTED for a request that was under way.
		t.regex((await host.shell('ls "$1"', [path])).output, /not connected|connection abort/);
		t.is((await host.driver('unmount', path)).output, succeeded);
		await assertNothingLeft(t, host);

		t.is(
			(await host.driver('mount', path, optionsFor(path, server, {'kubernetes.io/readwrite': 'ro'}))).output,
			succeeded,
		);
		t.regex((await host.shell('echo x >"$1/file"', [path])).output, /Read-only file system/);
		t.is((await host.driver('unmount', path)).output, succeeded);
		await assertNothingLeft(t, host);
	},
);

testOnBareHost('on a host with nothing but busybox, the command line mounts, shows and unmounts a volume', async t => {
	const host = await startHost(t);
	const {endpoint, bucket, credentials} = await spawnTestDevServer(t);
	const variables = {AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey};
	const command = async (...argv: readonly string[]) =>
		host.shell('exec /opt/pnx-volume/current/bin/pnx-volume "$@"', argv, variables);
	// The first test has looked at the name.
	t.is((await command('--version')).output, `${/-(\d.*)-linux-/.exec(findPackage().name)![1]}\n`);
	mkdirSync(join(host.root, 'mnt', 'files'));
	t.like(await command('mount', bucket, '/mnt/files', '--background', '--endpoint', endpoint, '--path-style'), {
		exitCode: 0,
	});
	t.is((await host.shell('echo hello >/mnt/files/greeting && cat /mnt/files/greeting')).output, 'hello\n');
	t.regex((await command('status')).output, /\/mnt\/files/);
	t.deepEqual((({output, exitCode}) => ({output, exitCode}))(await command('unmount', '/mnt/files')), {
		output: 'Unmounted /mnt/files\n',
		exitCode: 0,
	});

	// In the foreground it is this process that mounts, and unmounts when it is told to end.
	const foreground = await host.shell(
		'/opt/pnx-volume/current/bin/pnx-volume mount "$@" & until cat /mnt/files/greeting 2>/dev/null; do sleep 0.1; done; kill -TERM $!; wait $!',
		[bucket, '/mnt/files', '--endpoint', endpoint, '--path-style'],
		variables,
	);
	t.is(foreground.exitCode, 0, foreground.output);
	t.regex(foreground.output, /hello\n[^]*Unmounted \/mnt\/files\n$/);
	await assertNothingLeft(t, host);
});
