/** What a volume with a hostile prefix looks like on the node: its mount, its files, and who may read them. */
import {execFile} from 'node:child_process';
import {lstatSync, readdirSync, type Stats} from 'node:fs';
import {dirname, join} from 'node:path';
import {promisify} from 'node:util';
import test from 'ava';
import {mountsAt, readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {spawnTestDevServer} from '../../support/dev-server.ts';
import {createDriverHarness} from '../../support/driver.ts';

const run = promisify(execFile);
const encode = (text: string) => Buffer.from(text).toString('base64');

/** Everything below a directory, but for what is mounted there. */
const listTree = (directory: string, mountPoints: ReadonlySet<string>): Array<{path: string; stats: Stats}> =>
	readdirSync(directory).flatMap(name => {
		const path = join(directory, name);
		if (mountPoints.has(path)) {
			return [];
		}

		const stats = lstatSync(path);
		return [{path, stats}, ...(stats.isDirectory() ? listTree(path, mountPoints) : [])];
	});

test.serial(
	"a prefix that looks like mount options changes none; the mount is nosuid and nodev, and what is kept on the node is root's alone",
	async t => {
		const server = await spawnTestDevServer(t, {hasBucket: true});
		const node = createDriverHarness(t);
		const directory = node.podDirectory('uid-1');
		const prefix = 'a,suid,dev,fsname=x,subtype=ext4,modules=iconv\\054allow_root';
		const {output} = await node.mount(directory, {
			name: server.bucket,
			endpoint: server.endpoint,
			'path-style': 'true',
			prefix,
			'kubernetes.io/secret/access-key-id': encode(server.credentials.accessKeyId),
			'kubernetes.io/secret/secret-access-key': encode(server.credentials.secretAccessKey),
		});
		t.is(output, '{"status":"Success"}\n');
		await run(
			'/bin/sh',
			['-ec', 'echo hello >"$1/file"; mknod "$1/device" c 1 3 2>/dev/null || :; cat "$1/file"', 'sh', directory],
			{timeout: 300_000},
		);

		const table = readMountTable();
		const [mount] = mountsAt(table, directory);
		t.is(mount!.type, 'fuse.pnx');
		t.true(mount!.source.startsWith(`pnx-volume:${server.bucket}/a_suid_dev_fsname=x`), mount!.source);
		t.deepEqual(
			['nosuid', 'nodev', 'suid', 'dev'].filter(option => mount!.options.includes(option)),
			['nosuid', 'nodev'],
		);
		t.deepEqual(
			['allow_other', 'default_permissions', 'allow_root'].filter(option => mount!.superOptions.includes(option)),
			['allow_other', 'default_permissions'],
		);

		const mountPoints = new Set(table.map(({path}) => path));
		const kept = [
			{path: node.stateDirectory, stats: lstatSync(node.stateDirectory)},
			...listTree(node.stateDirectory, mountPoints),
			{path: node.logPath, stats: lstatSync(node.logPath)},
		];
		t.true(
			kept.some(({stats}) => stats.isSocket()) &&
				kept.some(({path}) => path.endsWith('state.json')) &&
				kept.length > 10,
			String(kept.length),
		);
		t.deepEqual(
			kept
				.filter(({stats}) => (stats.mode & 0o077) !== 0 || stats.uid !== 0)
				.map(
					({path, stats}) => `${path.replace(dirname(node.stateDirectory), '')} ${(stats.mode & 0o7777).toString(8)}`,
				),
			[],
		);

		t.is((await node.unmount(directory)).output, '{"status":"Success"}\n');
	},
);
