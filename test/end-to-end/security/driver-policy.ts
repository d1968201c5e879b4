/** The policy as the kubelet's calls meet it: decided before anything is started, and by nobody but root. */
import {chmodSync, chownSync, mkdirSync, readdirSync, rmSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {GetBucketTaggingCommand} from '@aws-sdk/client-s3';
import test, {type ExecutionContext} from 'ava';
import {mountsAt, readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {createTestClient, spawnTestDevServer} from '../../support/dev-server.ts';
import {createDriverHarness, createStandInHarness, type DriverHarness} from '../../support/driver.ts';

const succeeded = '{"status":"Success"}\n';
const secret = {'kubernetes.io/secret/accessKey': 'QUtJRA==', 'kubernetes.io/secret/secretKey': 'aHVzaA=='};
const inNamespace = (namespace: string, more: Readonly<Record<string, string>> = {}) => ({
	name: 'bucket-1',
	'kubernetes.io/pod.namespace': namespace,
	...more,
});
const leftovers = ({stateDirectory, kubeletDirectory}: DriverHarness) => [
	...(readdirSync(dirname(kubeletDirectory)).includes('state')
		? readdirSync(stateDirectory)
				.filter(name => name === 'volumes')
				.flatMap(name => readdirSync(join(stateDirectory, name)))
		: []),
	...readMountTable().filter(({path}) => path.startsWith(dirname(stateDirectory))),
];

const refuses = async (
	t: ExecutionContext,
	node: DriverHarness,
	options: Readonly<Record<string, string>>,
	message: RegExp,
): Promise<void> => {
	const {reply, exitCode} = await node.mount(node.podDirectory('uid-9'), options);
	t.is(reply.status, 'Failure');
	t.regex(reply.message!, message);
	t.is(exitCode, 0);
};

test.serial(
	'without a policy, the daemon is told to look whose the bucket is, and another namespace gets a daemon and a look of its own',
	async t => {
		const node = createStandInHarness(t);
		node.setPolicy(undefined);
		for (const [index, namespace] of ['web', 'shop', 'web'].entries()) {
			t.is((await node.mount(node.podDirectory(`uid-${index}`), inNamespace(namespace))).output, succeeded);
		}

		const rules = node
			.starts()
			.map(({request}) => (request as {rule?: {ownedBy?: {namespace: string}}}).rule?.ownedBy?.namespace);
		t.deepEqual(rules, ['web', 'shop']);
		t.is(new Set(node.starts().map(({request}) => request.volumeId)).size, 2);
	},
);

test.serial('a bucket that the policy opens to two namespaces is served to both by one daemon', async t => {
	const node = createStandInHarness(t);
	node.setPolicy({rules: [{namespaces: ['web', 'shop'], withNodeCredentials: {buckets: [{bucket: 'bucket-1'}]}}]});
	for (const [index, namespace] of ['web', 'shop'].entries()) {
		t.is((await node.mount(node.podDirectory(`uid-${index}`), inNamespace(namespace))).output, succeeded);
	}

	t.is(node.starts().length, 1);
});

test.serial('what the policy refuses starts no daemon and leaves nothing', async t => {
	const node = createStandInHarness(t);
	node.setPolicy({
		rules: [{namespaces: ['web'], withNodeCredentials: false, forbidOptions: ['uid'], limits: {'cache-size': '1GiB'}}],
	});
	await refuses(
		t,
		node,
		inNamespace('web'),
		/refuses this volume to namespace "web": it must bring credentials of its own/,
	);
	await refuses(t, node, inNamespace('web', {...secret, uid: '33'}), /it may not set the option "uid"/);
	await refuses(
		t,
		node,
		inNamespace('web', {...secret, 'cache-size': '2GiB'}),
		/option "cache-size" may be 1 GiB at most, and is 2 GiB/,
	);
	await refuses(t, node, inNamespace('shop', {endpoint: 'http://minio:9000'}), /add to "rules" of the policy/);
	t.deepEqual(node.starts(), []);
	t.deepEqual(leftovers(node), []);
	t.is((await node.mount(node.podDirectory('uid-1'), inNamespace('web', secret))).output, succeeded);
	t.is(node.starts()[0]!.request.options['cache-size'], String(2 ** 30), 'The default is lowered to the limit');
});

test.serial('a policy that is wrong, or that others may change, mounts nothing; unmount goes on', async t => {
	const node = createStandInHarness(t);
	const policyPath = node.variables['PNX_VOLUME_POLICY']!;
	const mounted = node.podDirectory('uid-1');
	t.is((await node.mount(mounted, inNamespace('web'))).output, succeeded);

	for (const text of ['', '{', '{"rule": []}', '{"rules": [{"namespaces": ["*"], "withSecret": "yes"}]}']) {
		node.setPolicy(text);
		await refuses(
			t,
			node,
			inNamespace('web'),
			/^The node policy is wrong.*policy\.json\)\. Nothing is mounted until it is corrected$/,
		);
	}

	node.setPolicy({});
	for (const mode of [0o620, 0o602, 0o666]) {
		chmodSync(policyPath, mode);
		await refuses(t, node, inNamespace('web'), /does not belong to root, or others may write to it/);
	}

	chmodSync(policyPath, 0o644);
	chownSync(policyPath, 1000, 0);
	await refuses(t, node, inNamespace('web'), /does not belong to root/);
	rmSync(policyPath);
	mkdirSync(policyPath);
	await refuses(t, node, inNamespace('web'), /Cannot read the node policy .*EISDIR/);
	t.is(node.starts().length, 1);

	t.is((await node.unmount(mounted)).output, succeeded);
	t.deepEqual(leftovers(node), []);
});

test.serial('the options must be those of the pod and volume that the directory belongs to', async t => {
	const node = createStandInHarness(t);
	await refuses(
		t,
		node,
		inNamespace('web', {'kubernetes.io/pod.uid': 'uid-1'}),
		/options are for volume "v" of pod "uid-1", but the directory belongs to volume "v" of pod "uid-9"/,
	);
	await refuses(t, node, inNamespace('web', {'kubernetes.io/pvOrVolumeName': 'w'}), /options are for volume "w"/);
	await refuses(t, node, inNamespace('../web'), /not a name that Kubernetes allows/);
	const {reply} = await node.call(
		'mount',
		node.podDirectory('uid-9'),
		'{"name":"bucket-1","kubernetes.io/readwrite":"rw"}',
	);
	t.regex(reply.message!, /do not say which pod and volume it is for/);
	for (const call of ['mount', 'unmount']) {
		const outside = await node.call(call, node.kubeletDirectory, '{"name":"bucket-1"}');
		t.regex(outside.reply.message!, /is not the directory of a pod's volume/);
	}

	t.deepEqual(node.starts(), []);
});

test.serial(
	"with the node's credentials and no policy but for the server, a namespace gets a new bucket, keeps it, and another does not get it",
	async t => {
		const server = await spawnTestDevServer(t);
		const {accessKeyId, secretAccessKey} = server.credentials;
		const node = createDriverHarness(t, {AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey});
		node.setPolicy({
			cluster: 'test',
			rules: [{namespaces: ['*'], withNodeCredentials: {endpoints: [server.endpoint]}}],
		});
		const options = {endpoint: server.endpoint, 'path-style': 'true', name: 'team-files'};
		const first = node.podDirectory('uid-1');
		t.is((await node.mount(first, inNamespace('web', options))).output, succeeded);
		const {TagSet = []} = await createTestClient(t, server).send(new GetBucketTaggingCommand({Bucket: 'team-files'}));
		t.deepEqual(
			TagSet.filter(({Key}) => /namespace|cluster/.test(Key!)).map(({Value}) => Value),
			['web', 'test'],
		);

		await refuses(
			t,
			node,
			inNamespace('shop', options),
			/its tags do not say that pnx-volume made it for namespace "shop" of cluster "test".*add \{"bucket":"team-files"\} to rules\[0\]/,
		);
		t.is(mountsAt(readMountTable(), first).length, 1);
		t.is(mountsAt(readMountTable(), node.podDirectory('uid-9')).length, 0);

		node.setPolicy({
			cluster: 'test',
			rules: [
				{
					namespaces: ['shop'],
					withNodeCredentials: {
						endpoints: [server.endpoint],
						buckets: [{bucket: 'team-files', prefix: 'for-{namespace}'}],
					},
				},
			],
		});
		t.is(
			(await node.mount(node.podDirectory('uid-9'), inNamespace('shop', {...options, prefix: 'for-shop'}))).output,
			succeeded,
		);
		for (const directory of [first, node.podDirectory('uid-9')]) {
			t.is((await node.unmount(directory)).output, succeeded);
		}

		t.deepEqual(leftovers(node), []);
	},
);
