import {copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {createDeadline} from '../../src/node/deadline.ts';
import {checkFuseLibraries} from '../../src/doctor/fuse-library-check.ts';
import {checkRuntime, findRuntime} from '../../src/doctor/runtime-checks.ts';
import {toNodejsCommand} from '../../src/node/host/nodejs-command.ts';
import {driverPath} from '../support/driver.ts';

const createDirectory = (t: ExecutionContext): string => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-runtime-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	return directory;
};

const writeFileAt = (path: string, text = ''): void => {
	mkdirSync(dirname(path), {recursive: true});
	writeFileSync(path, text);
};

/** A runtime whose programs are all there, but empty; with the Node.js of this process. */
const createRuntime = (t: ExecutionContext): string => {
	const home = createDirectory(t);
	for (const path of ['dist/bin/driver.js', 'dist/bin/daemon.js']) {
		writeFileAt(join(home, path));
	}

	writeFileAt(join(home, 'package.json'), '{"version": "1.2.3"}');
	mkdirSync(join(home, 'driver'));
	copyFileSync(driverPath, join(home, 'driver/volume'));
	mkdirSync(join(home, 'bin'));
	symlinkSync(toNodejsCommand(process.execPath), join(home, 'bin/node'));
	return home;
};

test('findRuntime() looks where PNX_VOLUME_HOME says, then beside the driver that a link leads to, as the driver does', t => {
	const [home, other, plugins] = [createRuntime(t), createRuntime(t), createDirectory(t)];
	const link = join(plugins, 'volume');
	symlinkSync(join(home, 'driver/volume'), link);
	t.is(findRuntime({driverPath: link, ownHome: other, variables: {}}), home);
	t.is(findRuntime({driverPath: link, ownHome: other, variables: {PNX_VOLUME_HOME: other}}), other);
	t.is(findRuntime({driverPath: link, ownHome: other, variables: {PNX_VOLUME_HOME: '/nonexistent'}}), home);
	t.is(findRuntime({driverPath: undefined, ownHome: other, variables: {}}), other);
});

test('checkRuntime() fails for a runtime that lacks a program or whose Node.js does not run', async t => {
	const home = createRuntime(t);
	const deadline = createDeadline(300_000);
	t.like(await checkRuntime(home, deadline), {
		status: 'ok',
		found: `${home}: pnx-volume 1.2.3 on Node.js ${process.version}`,
	});
	rmSync(join(home, 'dist/bin/daemon.js'));
	t.like(await checkRuntime(home, deadline), {status: 'failed', found: `${home} lacks dist/bin/daemon.js`});
	rmSync(join(home, 'bin/node'));
	t.regex((await checkRuntime(home, deadline)).found, /has no Node\.js in it$/);
	t.is((await checkFuseLibraries(home, deadline)).status, 'skipped');
	writeFileSync(join(home, 'bin/node'), '#!/nonexistent/loader\n', {mode: 0o755});
	t.regex((await checkRuntime(home, deadline)).found, /bin\/node does not run: .*ENOENT/);
	t.is((await checkRuntime(undefined, deadline)).status, 'failed');
});

test('checkFuseLibraries() fails when the addon or a library that it needs cannot be loaded', async t => {
	const home = createRuntime(t);
	const deadline = createDeadline(300_000);
	t.regex(
		(await checkFuseLibraries(home, deadline)).found,
		/libfuse3 cannot be loaded: Cannot find module 'fuse-native'/,
	);
	writeFileAt(join(home, 'dist/bin/fuse.node'), 'no library');
	t.regex((await checkFuseLibraries(home, deadline)).found, /libfuse3 cannot be loaded: .*fuse\.node/);
	t.regex(
		(await checkFuseLibraries(join(import.meta.dirname, '../..'), deadline)).found,
		/^libfuse3 loads, fusermount3 version/,
	);
	writeFileSync(join(home, 'bin/fusermount3'), '#!/bin/sh\necho broken; exit 1\n', {mode: 0o755});
	t.regex((await checkFuseLibraries(home, deadline)).found, /bin\/fusermount3 does not run: broken/);
});
