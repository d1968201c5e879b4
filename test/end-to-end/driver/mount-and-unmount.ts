import {mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {mountsAt, readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {readProcessIdentity} from '../../../src/node/host/process-identity.ts';
import {createStandInHarness, toKubeletJson} from '../../support/driver.ts';

/** Not by /proc/<pid>: where nobody reaps orphans, zombies stay. */
const isAlive = (pid: number) => readProcessIdentity(pid) !== undefined;
const isMounted = (path: string) => mountsAt(readMountTable(), path).length > 0;

test.serial(
	"mount shows the volume at the pod's directory, and unmount leaves an empty directory and nothing else",
	async t => {
		const node = createStandInHarness(t);
		const directory = node.podDirectory('uid-1');
		const mounted = await node.mount(directory, {name: 'bucket-1'});
		t.deepEqual(mounted.reply, {status: 'Success'}, mounted.output);
		t.is(mounted.exitCode, 0);
		t.is(mounted.output, '{"status":"Success"}\n');
		t.true(isMounted(directory));
		writeFileSync(join(directory, 'file'), 'hello');

		const unmounted = await node.unmount(directory);
		t.is(unmounted.output, '{"status":"Success"}\n');
		t.false(isMounted(directory));
		t.notThrows(() => rmdirSync(directory));
		t.deepEqual(readdirSync(join(node.stateDirectory, 'volumes')), []);
		t.deepEqual(readdirSync(join(node.stateDirectory, 'locks')), []);
		t.false(isAlive(node.starts()[0]!.pid));
	},
);

test.serial('two pods share one daemon, which ends with the last of them', async t => {
	const node = createStandInHarness(t);
	const [first, second] = [node.podDirectory('uid-1'), node.podDirectory('uid-2')];
	await node.mount(first, {name: 'bucket-1'});
	await node.mount(second, {name: 'bucket-1'});
	writeFileSync(join(first, 'file'), 'shared');
	t.is(readFileSync(join(second, 'file'), 'utf8'), 'shared');
	t.is(node.starts().length, 1);

	t.is((await node.unmount(first)).reply.status, 'Success');
	t.is(readFileSync(join(second, 'file'), 'utf8'), 'shared');
	t.is((await node.unmount(second)).reply.status, 'Success');
	t.false(isAlive(node.starts()[0]!.pid));
	t.deepEqual(readdirSync(join(node.stateDirectory, 'volumes')), []);
});

test.serial('three mounts of one volume at once start one daemon', async t => {
	const node = createStandInHarness(t);
	const directories = ['a', 'b', 'c'].map(uid => node.podDirectory(uid));
	const mounts = await Promise.all(directories.map(async directory => node.mount(directory, {name: 'bucket-pv'})));
	t.deepEqual(
		mounts.map(({output}) => output),
		['{"status":"Success"}\n', '{"status":"Success"}\n', '{"status":"Success"}\n'],
	);
	t.is(node.starts().length, 1);
	t.true(directories.every(directory => isMounted(directory)));

	const unmounts = await Promise.all(directories.map(async directory => node.unmount(directory)));
	t.deepEqual(
		unmounts.map(({reply}) => reply.status),
		['Success', 'Success', 'Success'],
	);
	t.false(directories.some(directory => isMounted(directory)));
	t.deepEqual(readdirSync(join(node.stateDirectory, 'volumes')), []);
});

test.serial('mounts and unmounts of one volume that interleave leave the right pods mounted', async t => {
	const node = createStandInHarness(t);
	const old = ['a', 'b'].map(uid => node.podDirectory(uid));
	await Promise.all(old.map(async directory => node.mount(directory, {name: 'bucket-1'})));
	const fresh = ['c', 'd'].map(uid => node.podDirectory(uid));
	const results = await Promise.all([
		...old.map(async directory => node.unmount(directory)),
		...fresh.map(async directory => node.mount(directory, {name: 'bucket-1'})),
	]);
	t.deepEqual(
		results.map(({reply}) => reply.status),
		['Success', 'Success', 'Success', 'Success'],
	);
	t.deepEqual(
		[...old, ...fresh].map(directory => isMounted(directory)),
		[false, false, true, true],
	);
	writeFileSync(join(fresh[0]!, 'file'), 'x');
	t.is(readFileSync(join(fresh[1]!, 'file'), 'utf8'), 'x');
	await Promise.all(fresh.map(async directory => node.unmount(directory)));
	t.deepEqual(readdirSync(join(node.stateDirectory, 'volumes')), []);
});

test.serial('two volumes of one pod, mounted at once, stay apart', async t => {
	const node = createStandInHarness(t);
	const [media, backup] = [node.podDirectory('uid-1', 'media'), node.podDirectory('uid-1', 'backup')];
	const mounts = await Promise.all([node.mount(media, {name: 'media'}), node.mount(backup, {name: 'backup'})]);
	t.deepEqual(
		mounts.map(({reply}) => reply.status),
		['Success', 'Success'],
	);
	writeFileSync(join(media, 'file'), 'media');
	t.deepEqual(readdirSync(backup), []);
	t.is(new Set(node.starts().map(({request}) => request.volumeId)).size, 2);
	await Promise.all([node.unmount(media), node.unmount(backup)]);
});

test.serial('mount is a success when the same volume is mounted at the directory already', async t => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	await node.mount(directory, {name: 'bucket-1'});
	t.is((await node.mount(directory, {name: 'bucket-1'})).reply.status, 'Success');
	t.is(mountsAt(readMountTable(), directory).length, 1);
	const other = await node.mount(directory, {name: 'bucket-2'});
	t.is(other.reply.status, 'Failure');
	t.regex(other.reply.message!, /is mounted there already; unmount it first/);
	t.is(node.starts().length, 1);
	await node.unmount(directory);
});

test.serial('unmount is a success when nothing is mounted, and when there is not even a directory', async t => {
	const node = createStandInHarness(t);
	t.is((await node.unmount(node.podDirectory('uid-1'))).output, '{"status":"Success"}\n');
	t.is((await node.unmount('/no/such/pods/uid/volumes/pnx~volume/v')).output, '{"status":"Success"}\n');
});

test.serial(
	'the daemon holds no descriptor of the driver, gets its credentials over the pipe alone, and leaves no core file',
	async t => {
		const node = createStandInHarness(t);
		const directory = node.podDirectory('uid-1');
		const secret = {
			'kubernetes.io/secret/accessKey': Buffer.from('AKID').toString('base64'),
			'kubernetes.io/secret/secretKey': Buffer.from('hush-hush').toString('base64'),
		};
		const {output} = await node.callWith(
			{AWS_SECRET_ACCESS_KEY: 'of-the-node', LD_PRELOAD: '', SOMETHING: 'else'},
			'mount',
			directory,
			toKubeletJson(directory, {name: 'bucket-1', ...secret}),
		);
		t.is(output, '{"status":"Success"}\n');
		const start = node.starts()[0]!;
		t.deepEqual(start.request.credentials, {accessKeyId: 'AKID', secretAccessKey: 'hush-hush'});
		t.false(JSON.stringify(start.argv).includes('hush'));
		t.false(JSON.stringify(start.env).includes('hush'));
		t.is(start.env['AWS_SECRET_ACCESS_KEY'], undefined);
		t.is(start.env['SOMETHING'], undefined);
		t.is(start.coreLimit, '0');
		t.false(node.log().includes('hush'));
		t.false(
			readFileSync(join(node.stateDirectory, 'volumes', start.request.volumeId, 'state.json'), 'utf8').includes('hush'),
		);
		// 0 is /dev/null, 1 and 2 the log; 4 is the ready pipe, and 3 was closed by the stand-in itself.
		const pipes = start.descriptors.filter(
			descriptor => /^\d+ (pipe|socket):/.test(descriptor) && !descriptor.startsWith('4 '),
		);
		t.deepEqual(
			pipes.filter(descriptor => Number.parseInt(descriptor, 10) <= 4),
			[],
		);
		t.true(start.descriptors.includes('0 /dev/null'));
		t.true(start.descriptors.includes(`1 ${node.logPath}`));
		t.is(statSync(join(node.stateDirectory, 'volumes')).mode & 0o77, 0);
		await node.unmount(directory);
	},
);

test.serial(
	'each call is one JSON line in the log: what, for which pod and volume, how long, what came of it',
	async t => {
		const node = createStandInHarness(t);
		const directory = node.podDirectory('uid-1');
		const pod = {
			'kubernetes.io/pod.name': 'web-1',
			'kubernetes.io/pod.namespace': 'shop',
			'kubernetes.io/pod.uid': 'uid-1',
		};
		await node.call('init');
		await node.call('mount');
		await node.mount(directory, {
			name: 'bucket-1',
			...pod,
			'kubernetes.io/secret/accessKey': 'QUtJRA==',
			'kubernetes.io/secret/secretKey': 'aHVzaA==',
		});
		await node.unmount(directory);
		await node.mount(directory, {nmae: 'bucket-1'});
		const lines = node
			.log()
			.trim()
			.split('\n')
			.map(line => JSON.parse(line) as Record<string, unknown>);
		for (const {time, pid, durationMs, volume} of lines) {
			t.true(Math.abs(Date.parse(String(time)) - Date.now()) < 60_000 && String(time).length === 24);
			t.true(Number(pid) > 0 && Number(durationMs) >= 0);
			t.true(volume === undefined || (typeof volume === 'string' && /^[0-9a-f]{16}$/.test(volume)));
		}

		const place = {path: 'uid-1/volumes/pnx~volume/v', podUid: 'uid-1'};
		const [init, short, mount, unmount, wrong, ...others] = lines;
		t.deepEqual(others, []);
		t.like(init, {level: 'info', call: 'init', path: '-', status: 'Success', msg: 'call answered'});
		t.like(short, {
			level: 'error',
			call: 'mount',
			status: 'Failure',
			msg: 'call failed',
			err: {message: 'Cannot mount: the call is "mount <directory> <JSON>", and an argument is missing'},
		});
		t.like(mount, {
			level: 'info',
			call: 'mount',
			...place,
			status: 'Success',
			bucket: 'bucket-1',
			pod: 'shop/web-1',
			volume: unmount?.['volume'],
			msg: 'call answered',
		});
		t.like(unmount, {
			level: 'info',
			call: 'unmount',
			...place,
			status: 'Success',
			bucket: 'bucket-1',
			pod: 'shop/web-1',
			msg: 'call answered',
		});
		t.truthy(unmount?.['volume']);
		t.like(wrong, {
			level: 'error',
			call: 'mount',
			...place,
			status: 'Failure',
			err: {message: 'Unknown option "nmae"; did you mean "name"?'},
			msg: 'call failed',
		});
		t.false(node.log().includes('aHVzaA'));
	},
);

test.serial(
	'mount and unmount work below directories with spaces, backslashes and letters of any language',
	async t => {
		const node = createStandInHarness(t);
		const directory = node.podDirectory('uid 1', String.raw`ü v\134\t'"$x`);
		t.is((await node.mount(directory, {name: 'bucket-1'})).output, '{"status":"Success"}\n');
		t.true(isMounted(directory));
		t.is((await node.mount(directory, {name: 'bucket-1'})).output, '{"status":"Success"}\n');
		t.is((await node.unmount(directory)).output, '{"status":"Success"}\n');
		t.false(isMounted(directory));
		t.deepEqual(readdirSync(join(node.stateDirectory, 'volumes')), []);
	},
);

test.serial('the state directory may be reached by a symbolic link, as to a larger disk', async t => {
	const node = createStandInHarness(t);
	const link = `${node.stateDirectory}-link`;
	symlinkSync(node.stateDirectory, link);
	const directory = node.podDirectory('uid-1');
	mkdirSync(node.stateDirectory);
	t.is(
		(
			await node.callWith(
				{PNX_VOLUME_STATE_DIR: link},
				'mount',
				directory,
				toKubeletJson(directory, {name: 'bucket-1'}),
			)
		).output,
		'{"status":"Success"}\n',
	);
	t.is((await node.callWith({PNX_VOLUME_STATE_DIR: link}, 'unmount', directory)).output, '{"status":"Success"}\n');
	t.deepEqual(readdirSync(join(node.stateDirectory, 'volumes')), []);
});
