import {spawnSync} from 'node:child_process';
import {
	chmodSync,
	existsSync,
	lstatSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import {basename, join} from 'node:path';
import test from 'ava';
import {formatReply} from '../../src/flexvolume/format-reply.ts';
import {createTreesDirectory, describeFiles, failsWith, install} from './support/install-node.ts';
import {createLocalNode, startPrivateNode} from './support/private-node.ts';
import {buildRuntimeTree, copyRuntimeTree} from './support/runtime-tree.ts';

const trees = createTreesDirectory(remove => test.after.always(remove));
const source = buildRuntimeTree(join(trees, 'first'), {version: '1.0.0'});
const rebuilt = copyRuntimeTree(source, join(trees, 'rebuilt'), {change: 'another build'});

test("an installation puts runtime, link and driver onto the node, root's and not writable by others, and the driver answers init", async t => {
	const node = createLocalNode(t);
	chmodSync(join(source, 'LICENSES'), 0o777);
	const outcome = await install(node, source);
	const home = join(node.directory, 'opt', 'pnx-volume', '1.0.0');
	t.like(outcome, {runtimeDirectory: home, isRuntimeChanged: true, isDriverChanged: true, versions: ['1.0.0']});
	t.is(readlinkSync(join(node.directory, 'opt', 'pnx-volume', 'current')), '1.0.0');
	for (const path of readdirSync(home, {recursive: true, encoding: 'utf8'})) {
		const {mode, uid, gid} = lstatSync(join(home, path));
		t.deepEqual([uid, gid, mode & 0o7022], [0, 0, 0], path);
	}

	t.deepEqual(readFileSync(join(home, 'dist/bin/daemon.js')), readFileSync(join(source, 'dist/bin/daemon.js')));
	t.is(statSync(join(home, 'bin/node')).mode & 0o777, 0o755);
	t.deepEqual(readdirSync(join(node.directory, 'plugins'), {recursive: true}), ['pnx~volume', 'pnx~volume/volume']);
	const {stdout} = spawnSync(join(node.directory, 'plugins/pnx~volume/volume'), ['init'], {
		env: {PNX_VOLUME_LOG: '/dev/null'},
		encoding: 'utf8',
	});
	t.is(stdout, formatReply({outcome: 'initialised'}));
});

test('an installation that is there already is not touched', async t => {
	const node = createLocalNode(t);
	await install(node, source);
	const before = describeFiles(node.directory);
	t.like(await install(node, source, {isThorough: true}), {isRuntimeChanged: false, isDriverChanged: false});
	t.deepEqual(describeFiles(node.directory), before);
});

test('the installed driver finds the runtime and the directories of its agent, and runs mount with that version', async t => {
	const node = createLocalNode(t);
	const variables = {PNX_VOLUME_STATE_DIR: join(node.directory, 'state'), PNX_VOLUME_LOG: join(node.directory, 'log')};
	await install(node, source, {variables});
	const call = (...argv: readonly string[]): {status: string; message?: string} =>
		JSON.parse(
			spawnSync(join(node.directory, 'plugins/pnx~volume/volume'), argv, {env: {}, encoding: 'utf8'}).stdout,
		) as {status: string; message?: string};
	t.like(call('mount', '/pods/no-such/volumes/pnx~volume/v', '{"kubernetes.io/readwrite":"rw"}'), {status: 'Failure'});
	t.regex(readFileSync(variables.PNX_VOLUME_LOG, 'utf8'), /"call":"mount"/);
	t.deepEqual(call('unmount', join(node.directory, 'pods/uid/volumes/pnx~volume/v')), {status: 'Success'});
	t.true(existsSync(join(node.directory, 'state')));

	rmSync(join(node.directory, 'opt', 'pnx-volume', '1.0.0'), {recursive: true});
	t.regex(
		String(call('mount', '/x/v', '{}').message),
		/^The runtime of pnx-volume is gone from this node: there is no \/.*\/opt\/pnx-volume\/current\/dist\/bin\/driver\.js\. If the DaemonSet .* puts it there again/,
	);
	rmSync(join(node.directory, 'opt', 'pnx-volume', 'current'));
	t.regex(String(call('unmount', '/x/v').message), /^The runtime of pnx-volume is not installed on this node/);
});

test('another build of an installed version gets a directory of its own, and the old one stays to roll back to', async t => {
	const node = createLocalNode(t);
	await install(node, source);
	const {runtimeDirectory, versions} = await install(node, rebuilt);
	t.regex(runtimeDirectory, /\/1\.0\.0-[\da-f]{8}$/);
	t.is(versions.length, 2);
	t.is(readlinkSync(join(node.directory, 'opt/pnx-volume/current')), basename(runtimeDirectory));
	t.like(await install(node, rebuilt), {isRuntimeChanged: false, runtimeDirectory});
	t.like(await install(node, source), {
		isRuntimeChanged: true,
		isDriverChanged: false,
		runtimeDirectory: join(node.directory, 'opt/pnx-volume/1.0.0'),
	});
});

test('files of an installed runtime that are damaged, missing or writable by others are put back', async t => {
	const node = createLocalNode(t);
	const {runtimeDirectory} = await install(node, source);
	rmSync(join(runtimeDirectory, 'dist/bin'), {recursive: true});
	chmodSync(join(runtimeDirectory, 'driver/volume'), 0o777);
	writeFileSync(join(runtimeDirectory, 'package.json'), '{}');
	t.like(await install(node, source), {isRuntimeChanged: true, isDriverChanged: false, versions: ['1.0.0']});
	t.like(await install(node, source), {isRuntimeChanged: false});

	// A bit that has tipped over shows only when every byte is read.
	const bytes = readFileSync(join(runtimeDirectory, 'dist/bin/driver.js'));
	bytes[1000] = bytes[1000]! ^ 1; // The file is longer than that.
	writeFileSync(join(runtimeDirectory, 'dist/bin/driver.js'), bytes);
	t.like(await install(node, source), {isRuntimeChanged: false});
	t.like(await install(node, source, {isThorough: true}), {isRuntimeChanged: true});
	t.deepEqual(
		readFileSync(join(runtimeDirectory, 'dist/bin/driver.js')),
		readFileSync(join(source, 'dist/bin/driver.js')),
	);
});

test('a driver that somebody has deleted or changed is put back, and left-overs of a writer that was killed go', async t => {
	const node = createLocalNode(t);
	await install(node, source);
	const directory = join(node.directory, 'plugins/pnx~volume');
	const text = readFileSync(join(directory, 'volume'), 'utf8');
	for (const harm of [
		() => rmSync(directory, {recursive: true}),
		() => writeFileSync(join(directory, 'volume'), '#!/bin/sh\n'),
		() => chmodSync(join(directory, 'volume'), 0o644),
	]) {
		harm();
		mkdirSync(directory, {recursive: true});
		writeFileSync(join(directory, '.volume.0123456789ab'), 'half');
		t.like(await install(node, source), {isDriverChanged: true, isRuntimeChanged: false});
		t.is(readFileSync(join(directory, 'volume'), 'utf8'), text);
		t.deepEqual(readdirSync(directory), ['volume']);
	}
});

test('from a container, the installation lands in the mount namespace of the node and is tested there', async t => {
	const node = await startPrivateNode(t, 'mkdir real; ln -s "$1/real" linked');
	// An absolute link of the node is followed as the node would: here it leads nowhere.
	const outcome = await install(node, source, {pluginDirectory: join(node.directory, 'linked', 'exec')});
	t.is(outcome.driverPath, join(node.directory, 'real/exec/pnx~volume/volume'));
	t.true(existsSync(join(node.reached, 'real/exec/pnx~volume/volume')));
	t.true(existsSync(join(node.reached, 'opt/pnx-volume/1.0.0/bin/node')));
	t.deepEqual(readdirSync(node.directory), [], 'Nothing of it is on this side');
});

test('a file system that is mounted noexec or read-only is refused with what to do, for the runtime and for the driver', async t => {
	const node = await startPrivateNode(
		t,
		'mkdir noexec readonly; mount -t tmpfs -o mode=755,noexec tmpfs noexec; mount -t tmpfs -o mode=755,ro tmpfs readonly',
	);
	await failsWith(
		t,
		install(node, source, {runtimeDirectory: join(node.directory, 'noexec/pnx-volume')}),
		/The runtime cannot be in .*\/noexec\/pnx-volume/,
		/mounted noexec/,
		/remount,exec/,
	);
	await failsWith(
		t,
		install(node, source, {runtimeDirectory: join(node.directory, 'readonly/pnx-volume')}),
		/Cannot make the directory .*readonly\/pnx-volume/,
		/at .*\/readonly is read-only; choose one/,
	);
	await failsWith(
		t,
		install(node, source, {pluginDirectory: join(node.directory, 'noexec')}),
		/The driver cannot be in .*noexec\/pnx~volume/,
		/mounted noexec/,
	);
	await failsWith(
		t,
		install(node, source, {pluginDirectory: join(node.directory, 'readonly')}),
		/Cannot make the directory .*readonly\/pnx~volume/,
		/is read-only/,
	);
	t.deepEqual(
		readdirSync(join(node.reached, 'noexec/pnx-volume')).filter(name => name !== '.install.lock'),
		[],
	);
});

test('a disk without enough room is refused before anything is copied, with how much is needed', async t => {
	const node = await startPrivateNode(t, 'mkdir small; mount -t tmpfs -o mode=755,size=12m tmpfs small');
	await failsWith(
		t,
		install(node, source, {runtimeDirectory: join(node.directory, 'small/pnx-volume')}),
		/too full: .*small\/pnx-volume needs \d+ MiB and has 1[12] MiB free/,
	);
	t.deepEqual(readdirSync(join(node.reached, 'small/pnx-volume')), ['.install.lock']);
});

test('a link or a file where a directory is expected is refused, as is a directory that others may change', async t => {
	const node = createLocalNode(t);
	symlinkSync('/var', join(node.directory, 'opt/link'));
	await failsWith(
		t,
		install(node, source, {runtimeDirectory: join(node.directory, 'opt/link')}),
		/opt\/link: it is a symbolic link, and a directory is expected/,
	);
	mkdirSync(join(node.directory, 'opt/open'));
	chmodSync(join(node.directory, 'opt/open'), 0o777);
	await failsWith(
		t,
		install(node, source, {runtimeDirectory: join(node.directory, 'opt/open/pnx-volume')}),
		/users other than root may change .*opt\/open;/,
	);
	symlinkSync('/var', join(node.directory, 'plugins/pnx~volume'));
	await failsWith(t, install(node, source), /pnx~volume: it is a symbolic link/);
	rmSync(join(node.directory, 'opt/pnx-volume'), {recursive: true});
	writeFileSync(join(node.directory, 'opt/pnx-volume'), '');
	await failsWith(t, install(node, source), /opt\/pnx-volume: it is not a directory/);
});

test('paths that would mean something to a shell are refused before anything is copied', async t => {
	const node = createLocalNode(t);
	for (const name of ['a b', 'a;reboot', '$(reboot)', "a'b", 'a"b', 'a\nb', '*', 'a\\b', 'ä']) {
		await failsWith(
			t,
			install(node, source, {runtimeDirectory: join(node.directory, name)}),
			/must be an absolute path of letters, digits/,
		);
		await failsWith(
			t,
			install(node, source, {variables: {PNX_VOLUME_LOG: name}}),
			/the value of PNX_VOLUME_LOG must consist of/,
		);
	}

	await failsWith(t, install(node, source, {variables: {PATH: '/x'}}), /the value of PATH/);
	t.deepEqual(readdirSync(node.directory, {recursive: true, encoding: 'utf8'}).sort(), [
		'opt',
		'plugins',
		'run',
		'state',
	]);
});

test('a runtime that does not work on the node never gets a name there, and the driver of before stays', async t => {
	const node = createLocalNode(t);
	await install(node, source);
	const before = describeFiles(node.directory);
	const harms: ReadonlyArray<readonly [path: string, text: string, message: RegExp]> = [
		['driver/volume', '#!/bin/sh\necho hello\n', /driver\/volume.*(?:runtime=|init did not answer)/],
		['bin/node', '#!/no/such/loader\n', /self-test failed: .*bin\/node does not start on this node/],
		['bin/node', '#!/bin/sh\necho "libc.so.6: version GLIBC_9 not found" >&2; exit 127\n', /GLIBC_9 not found/],
	];
	for (const [index, [path, text, message]] of harms.entries()) {
		const broken = copyRuntimeTree(source, join(trees, `broken-${index}`), {version: '2.0.0'});
		writeFileSync(join(broken, path), text);
		await failsWith(t, install(node, broken), message);
		t.deepEqual(describeFiles(node.directory), before);
	}

	const mute = copyRuntimeTree(source, join(trees, 'mute'), {version: '2.0.0'});
	writeFileSync(
		join(mute, 'driver/volume'),
		readFileSync(join(source, 'driver/volume'), 'utf8').replace('"attach":false', '"attach":true'),
	);
	await failsWith(
		t,
		install(node, mute),
		/self-test failed: .*init did not answer as the kubelet needs it: .*"attach":true/,
	);
	t.deepEqual(describeFiles(node.directory), before);
});

test('what is not a packaged runtime for this machine is refused', async t => {
	const node = createLocalNode(t);
	await failsWith(
		t,
		install(node, node.directory),
		/is not a packaged runtime: it lacks driver\/volume, bin\/node/,
		/npm run package/,
	);
	const foreign = copyRuntimeTree(source, join(trees, 'foreign'), {});
	const header = Buffer.alloc(64);
	header.writeUInt32BE(0x7f_45_4c_46);
	header.writeUInt16LE(process.arch === 'arm64' ? 62 : 183, 18);
	mkdirSync(join(foreign, 'lib'));
	writeFileSync(join(foreign, 'lib/node'), header);
	await failsWith(t, install(node, foreign), /lib\/node is built for (?:aarch64|x86_64), and this node is/);
	const linked = copyRuntimeTree(source, join(trees, 'linked'), {});
	symlinkSync('/etc/shadow', join(linked, 'LICENSES/shadow'));
	await failsWith(t, install(node, linked), /shadow is neither a file nor a directory/);
	const strange = copyRuntimeTree(source, join(trees, 'strange'), {version: '../../etc'});
	await failsWith(t, install(node, strange), /its package.json says version/);
});
