import {mkdirSync, readdirSync, readFileSync} from 'node:fs';
import {dirname} from 'node:path';
import test from 'ava';
import {mountsAt, readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {createStandInHarness, type DriverHarness, type DriverResult} from '../../support/driver.ts';

/** What real kubelets called (1.20.2, 1.26.5 and 1.34.9), argument by argument. */
const recorded = (name: string): string[][] => {
	const text = readFileSync(new URL(`../support/kubelet-calls/${name}.json`, import.meta.url), 'utf8');
	return (JSON.parse(text) as {calls: Array<{argv: string[]}>}).calls.map(({argv}) => argv);
};

/** The same call on this node's kubelet directory; the directory is made first, as the kubelet does it. */
const replay = async (node: DriverHarness, [call = '', ...rest]: readonly string[]): Promise<DriverResult> => {
	const argv = rest.map(argument => argument.replaceAll('/var/lib/kubelet', node.kubeletDirectory));
	if (call === 'mount') {
		mkdirSync(argv[0]!, {recursive: true, mode: 0o750});
	}

	return node.call(call, ...argv);
};

test.serial('static-pod: init, mount and unmount succeed', async t => {
	const node = createStandInHarness(t);
	for (const argv of recorded('static-pod')) {
		const {output, exitCode, reply} = await replay(node, argv);
		t.is(reply.status, 'Success', output);
		t.is(exitCode, 0);
	}

	t.deepEqual(
		readMountTable().filter(({path}) => path.startsWith(dirname(node.stateDirectory))),
		[],
	);
});

test.serial('attach-left-out: init succeeds, everything else is not supported', async t => {
	const node = createStandInHarness(t);
	for (const argv of recorded('attach-left-out')) {
		const {output} = await replay(node, argv);
		t.is(
			output.startsWith('{"status":"Success","capabilities":{"attach":false,') ? 'init' : output,
			argv[0] === 'init' ? 'init' : '{"status":"Not supported"}\n',
		);
	}
});

test.serial('deployment-of-three: three pods in one millisecond get one daemon, and two of them go', async t => {
	const node = createStandInHarness(t);
	const calls = recorded('deployment-of-three');
	const mounts = calls.filter(([call]) => call === 'mount');
	const results = await Promise.all(mounts.map(async argv => replay(node, argv)));
	t.deepEqual(
		results.map(({reply}) => reply.status),
		['Success', 'Success', 'Success'],
		results.map(({output}) => output).join(' '),
	);
	t.is(node.starts().length, 1);
	t.deepEqual(node.starts()[0]!.request.credentials, {accessKeyId: 'AK id', secretAccessKey: 's3cr"et'});

	await Promise.all(calls.filter(([call]) => call === 'unmount').map(async argv => replay(node, argv)));
	const left = mounts.map(
		([, path]) => mountsAt(readMountTable(), path!.replace('/var/lib/kubelet', node.kubeletDirectory)).length,
	);
	t.deepEqual(left, [0, 0, 1]);
	await replay(node, ['unmount', mounts[2]![1]!]);
	t.deepEqual(readdirSync(`${node.stateDirectory}/volumes`), []);
});

test.serial(
	'four-volumes-at-once: two mount, the one without a bucket and the one with unknown options say why not',
	async t => {
		const node = createStandInHarness(t);
		const calls = recorded('four-volumes-at-once');
		const results = await Promise.all(calls.map(async argv => replay(node, argv)));
		const replies = new Map(calls.map(([, path], index) => [path!.split('/').at(-1), results[index]!.reply] as const));
		t.is(replies.get('rw')!.status, 'Success');
		t.is(replies.get('ro')!.status, 'Success');
		t.regex(replies.get('plain')!.message!, /^Option "name" is missing/);
		t.regex(replies.get('opts')!.message!, /^Unknown option "empty"; did you mean "/);

		const requests = new Map(node.starts().map(({request}) => [request.options['name'], request] as const));
		t.deepEqual([...requests.keys()].sort(), ['bucket-ro', 'bucket-rw']);
		t.is(requests.get('bucket-rw')!.fsGroup, 1234);
		t.is(requests.get('bucket-rw')!.options['read-only'], 'false');
		t.is(requests.get('bucket-ro')!.options['read-only'], 'true');
		const table = readMountTable();
		const isReadOnly = (volume: string) =>
			table.some(
				({path, options}) =>
					path.startsWith(node.kubeletDirectory) && path.endsWith(`/${volume}`) && options.includes('ro'),
			);
		t.deepEqual([isReadOnly('ro'), isReadOnly('rw')], [true, false]);
		for (const [, path] of calls) {
			t.is((await replay(node, ['unmount', path!])).reply.status, 'Success');
		}
	},
);
