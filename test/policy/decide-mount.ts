import test from 'ava';
import {decideMount, type MountDecision, type MountQuestion} from '../../src/policy/decide-mount.ts';
import {builtInPolicy, parseNodePolicy} from '../../src/policy/node-policy.ts';
import {parseVolumeOptions} from '../../src/model/volume-options.ts';

type Asked = {
	readonly namespace?: string;
	readonly hasSecret?: boolean;
	readonly [option: string]: string | boolean | undefined;
};

const toQuestion = ({namespace = 'web', hasSecret = false, ...options}: Asked): MountQuestion => ({
	namespace,
	hasSecret,
	options: parseVolumeOptions({name: 'media', ...options}),
});

const decide = (policy: unknown, asked: Asked): MountDecision =>
	decideMount(policy === undefined ? builtInPolicy : parseNodePolicy(JSON.stringify(policy)), toQuestion(asked));

const messageOf = (decision: MountDecision): string =>
	decision.decision === 'refused' ? decision.message : `allowed: ${JSON.stringify(decision.rule)}`;
const oneRule = (fields: object) => ({rules: [{namespaces: ['web'], ...fields}]});
const withNode = (fields: object) => oneRule({withNodeCredentials: fields});

test("without a policy, the node's credentials open the namespace's own buckets at AWS, and may create them", t => {
	const decision = decide(undefined, {});
	t.is(decision.decision, 'allowed');
	t.like(decision, {rule: {ownedBy: {namespace: 'web'}}});
	t.is(messageOf(decision).includes('creationForbidden'), false);
});

test('without a policy, a Secret opens what it opens, anywhere but on the node itself', t => {
	for (const endpoint of ['', 'https://minio.example.com', 'http://10.0.0.5:9000']) {
		const decision = decide(undefined, {hasSecret: true, endpoint});
		t.is(decision.decision, 'allowed', endpoint);
		t.is(decision.decision === 'allowed' && decision.rule.ownedBy, undefined);
		t.is(decision.decision === 'allowed' && decision.rule.isLocalEndpointRefused, endpoint === '' ? undefined : true);
	}
});

for (const endpoint of [
	'http://169.254.169.254',
	'http://127.0.0.1:9000',
	'http://localhost:9000',
	'http://LOCALHOST',
	'http://a.localhost',
	'http://localhost.',
	'http://[::1]:9000',
	'http://0.0.0.0',
	'http://0',
	'http://2130706433',
	'http://0x7f.1',
	'http://0177.0.0.1',
	'http://[::ffff:169.254.169.254]',
	'http://[::ffff:7f00:1]',
	'http://[fe80::1]',
	'http://[fd00:ec2::254]',
	'http://metadata.google.internal',
	'http://168.63.129.16',
	'http://169.254.170.2',
	'http://①②⑦.0.0.1',
	'http://[64:ff9b::a9fe:a9fe]',
]) {
	test(`without a policy, a Secret does not open the node's own ${endpoint}`, t => {
		t.regex(
			messageOf(decide(undefined, {hasSecret: true, endpoint})),
			/it may not use endpoint .* with a Secret\. To allow it, add/,
		);
	});
}

test("without a policy, the node's credentials are for AWS alone: no other server gets a request signed with them", t => {
	t.regex(
		messageOf(decide(undefined, {endpoint: 'https://minio.example.com'})),
		/it may not use endpoint https:\/\/minio\.example\.com with the node's credentials/,
	);
});

const allowances: ReadonlyArray<
	readonly [title: string, policy: object, allowed: readonly Asked[], refused: readonly Asked[]]
> = [
	[
		'a bucket by name',
		withNode({ownBuckets: false, buckets: [{bucket: 'media'}]}),
		[{}, {prefix: 'any/where'}],
		[{name: 'media2'}, {name: 'xmedia'}, {name: 'med-ia'}],
	],
	[
		'a bucket by pattern',
		withNode({ownBuckets: false, buckets: [{bucket: 'shared-*'}]}),
		[{name: 'shared-a'}, {name: 'shared-a.b-c'}],
		[{name: 'shared'}, {name: 'xshared-a'}],
	],
	[
		'a bucket named after the namespace',
		withNode({ownBuckets: false, buckets: [{bucket: '{namespace}-files'}]}),
		[{name: 'web-files'}],
		[{name: 'shop-files'}, {name: 'web-files2'}, {name: 'webxfiles'}],
	],
	[
		'a dot that is no wildcard',
		withNode({ownBuckets: false, buckets: [{bucket: 'a.b'}]}),
		[{name: 'a.b'}],
		[{name: 'axb'}],
	],
	[
		'a prefix named after the namespace',
		withNode({ownBuckets: false, buckets: [{bucket: 'media', prefix: 'teams/{namespace}'}]}),
		[{prefix: 'teams/web'}, {prefix: '/teams/web/'}, {prefix: 'teams/web/below/that'}],
		[
			{},
			{prefix: 'teams'},
			{prefix: 'teams/web2'},
			{prefix: 'teams/shop'},
			{prefix: 'xteams/web'},
			{prefix: 'teams//web'},
			{prefix: 'teams/web/../shop'},
			{prefix: 'teams/./web'},
			{prefix: 'TEAMS/web'},
		],
	],
	[
		'a wildcard in a prefix within its component',
		withNode({ownBuckets: false, buckets: [{bucket: 'media', prefix: 'p-*/x'}]}),
		[{prefix: 'p-1/x'}, {prefix: 'p-/x/y'}],
		[{prefix: 'p-1/y/x'}, {prefix: 'p-1'}],
	],
	[
		'a wildcard for the last component of a prefix',
		withNode({ownBuckets: false, buckets: [{bucket: 'media', prefix: 'teams/*'}]}),
		[{prefix: 'teams/a'}, {prefix: 'teams/a/below'}],
		[{}, {prefix: 'teams'}, {prefix: 'teams/'}, {prefix: '/teams//'}, {prefix: 'a'}],
	],
	[
		'a wildcard for a whole prefix, and never the whole bucket',
		withNode({ownBuckets: false, buckets: [{bucket: 'media', prefix: '*'}]}),
		[{prefix: 'a'}, {prefix: 'a/below'}],
		[{}, {prefix: '/'}],
	],
	[
		'an endpoint by name',
		withNode({endpoints: ['https://minio.example.com', 'http://127.0.0.1:9000']}),
		[
			{endpoint: 'https://minio.example.com'},
			{endpoint: 'https://minio.example.com:443/'},
			{endpoint: 'https://MINIO.example.com'},
			{endpoint: 'http://127.0.0.1:9000'},
		],
		[
			{},
			{endpoint: 'http://minio.example.com'},
			{endpoint: 'https://minio.example.com:8443'},
			{endpoint: 'https://minio.example.com.evil.org'},
			{endpoint: 'http://127.0.0.1:9001'},
			{endpoint: 'https://mіnio.example.com'},
		],
	],
	[
		'endpoints by pattern',
		withNode({endpoints: ['https://*.example.com:*']}),
		[{endpoint: 'https://a.example.com'}, {endpoint: 'https://a.b.example.com:8443'}],
		[
			{endpoint: 'https://example.com'},
			{endpoint: 'http://a.example.com'},
			{endpoint: 'https://a.example.com.evil.org'},
			{endpoint: 'https://aexample.com'},
		],
	],
	[
		'any host by pattern, but not the node itself',
		withNode({endpoints: ['http://*:*']}),
		[{endpoint: 'http://minio:9000'}],
		[{endpoint: 'http://169.254.169.254'}, {endpoint: 'http://localhost:9000'}],
	],
	['no node credentials', oneRule({withNodeCredentials: false}), [{hasSecret: true}], [{}]],
	['no Secrets', oneRule({withSecret: false}), [{}], [{hasSecret: true}]],
	[
		'buckets for Secrets',
		oneRule({withSecret: {buckets: [{bucket: 'media'}]}}),
		[{hasSecret: true}],
		[{hasSecret: true, name: 'other'}],
	],
	[
		'options',
		oneRule({forbidOptions: ['uid', 'timeout']}),
		[{}, {uid: '0'}, {timeout: '30s'}, {gid: '5'}],
		[{uid: '33'}, {timeout: '1h'}],
	],
	[
		'sizes',
		oneRule({limits: {'cache-size': '1GiB', memory: '1GiB'}}),
		[{}, {'cache-size': '1GiB'}, {'cache-size': '0'}, {memory: '512MiB'}],
		[{'cache-size': '2GiB'}, {memory: '2GiB'}],
	],
];

for (const [title, policy, allowed, refused] of allowances) {
	test(`a rule allows and refuses ${title}`, t => {
		for (const asked of allowed) {
			t.is(decide(policy, asked).decision, 'allowed', JSON.stringify(asked));
		}

		for (const asked of refused) {
			t.is(decide(policy, asked).decision, 'refused', JSON.stringify(asked));
		}
	});
}

test('the first rule whose namespaces match holds; a namespace without a rule has the built-in one', t => {
	const policy = {
		rules: [
			{namespaces: ['team-a'], withNodeCredentials: false},
			{namespaces: ['team-*', 'web'], withNodeCredentials: {ownBuckets: false, buckets: [{bucket: 'media'}]}},
			{namespaces: ['*-b'], withNodeCredentials: false},
		],
	};
	t.is(decide(policy, {namespace: 'team-a'}).decision, 'refused');
	t.like(decide(policy, {namespace: 'team-b'}), {decision: 'allowed'});
	t.is(decide(policy, {namespace: 'x-b'}).decision, 'refused');
	t.like(decide(policy, {namespace: 'team'}), {decision: 'allowed', rule: {ownedBy: {namespace: 'team'}}});
	t.like(decide(policy, {namespace: 'web2'}), {decision: 'allowed', rule: {ownedBy: {namespace: 'web2'}}});
});

test('a listed bucket is free of the look at its tags; any other is not', t => {
	const policy = withNode({buckets: [{bucket: 'media', prefix: 'a'}]});
	t.notRegex(messageOf(decide(policy, {prefix: 'a/b'})), /ownedBy/);
	t.regex(messageOf(decide(policy, {prefix: 'b'})), /allowed: .*ownedBy/);
	t.regex(messageOf(decide(policy, {name: 'other'})), /allowed: .*ownedBy/);
});

test('a default over the limit is lowered, and the other options stay as requested', t => {
	const decision = decide(oneRule({limits: {'cache-size': '1GiB', 'staging-size': '2GiB', memory: '100MiB'}}), {
		'metadata-ttl': '5s',
	});
	t.like(decision, {
		decision: 'allowed',
		options: {cacheBytesMax: 2 ** 30, stagingBytesMax: 2 ** 31, memoryBytesMax: 100 * 2 ** 20, metadataTtlMs: 5000},
	});
	t.like(
		decide(oneRule({limits: {memory: '256MiB'}}), {}),
		{decision: 'allowed', options: {memoryBytesMax: 0}},
		'It takes no more than that by itself',
	);
});

test('the name of the cluster goes with every volume', t => {
	t.like(decide({cluster: 'production'}, {}), {decision: 'allowed', rule: {cluster: 'production'}});
});

test('a namespace that is not a DNS label is refused, whatever the policy says', t => {
	const policy = {rules: [{namespaces: ['*'], withNodeCredentials: {buckets: [{bucket: '*'}]}}]};
	for (const namespace of ['', 'Web', 'a/b', '*', '{namespace}', 'a.b', 'wеb', '-a', 'a\n', 'x'.repeat(64)]) {
		t.is(decide(policy, {namespace}).decision, 'refused', namespace);
	}
});

/** What a refusal says, done: the policy with it. */
const followAdvice = (policy: {rules: object[]}, message: string): unknown => {
	const copy = structuredClone(policy) as {rules: Array<Record<string, Record<string, unknown> | undefined>>};
	const [, added] = /add to "rules" of the policy \(docs\/POLICY\.md\): (\{.*\})$/.exec(message) ?? [];
	if (added !== undefined) {
		copy.rules.push(JSON.parse(added) as Record<string, Record<string, unknown>>);
		return copy;
	}

	const [, value, index, section, key] = /add (\S+) to rules\[(\d+)\]\.(\w+)\.(\w+) of the policy/.exec(message) ?? [];
	if (value !== undefined) {
		const fields = (copy.rules[Number(index)]![section!] ??= {});
		fields[key!] = [...((fields[key!] as unknown[] | undefined) ?? []), JSON.parse(value)];
		return copy;
	}

	const [, setIndex, setSection] =
		/set rules\[(\d+)\]\.(\w+) of the policy \(docs\/POLICY\.md\) to true/.exec(message) ?? [];
	(copy.rules[Number(setIndex)] as Record<string, unknown>)[setSection!] = true;
	return copy;
};

for (const [title, policy, asked] of [
	['an endpoint, without a policy', {rules: []}, {endpoint: 'https://minio.example.com:8443'}],
	['the node itself, without a policy', {rules: []}, {endpoint: 'http://127.0.0.1:9000', hasSecret: true}],
	['an endpoint, with a rule', withNode({endpoints: ['aws']}), {endpoint: 'http://10.0.0.5:9000'}],
	['a bucket, with a rule', withNode({ownBuckets: false}), {prefix: 'a/b'}],
	[
		'a bucket, with a rule for more namespaces',
		{rules: [{namespaces: ['w*'], withSecret: {buckets: []}}]},
		{hasSecret: true},
	],
	["the node's credentials", oneRule({withNodeCredentials: false}), {}],
	['Secrets', oneRule({withSecret: false}), {hasSecret: true}],
] as const) {
	test(`a refusal says what in the policy would allow it: ${title}`, t => {
		const refusal = decide(policy, asked);
		t.is(refusal.decision, 'refused');
		t.is(
			decide(followAdvice(policy as {rules: object[]}, messageOf(refusal)), asked).decision,
			'allowed',
			messageOf(refusal),
		);
		t.true(messageOf(refusal).length < 900, 'It fits into the event of a pod');
	});
}

test('a refusal for a rule of several namespaces says how to open it to one alone', t => {
	const policy = {rules: [{namespaces: ['w*'], withNodeCredentials: {ownBuckets: false}}]};
	t.regex(
		messageOf(decide(policy, {})),
		/that rule applies to other namespaces, too: to change it for this one alone, put a changed copy of the rule before it, with "namespaces":\["web"\]$/,
	);
	t.notRegex(messageOf(decide(withNode({ownBuckets: false}), {})), /others/);
});
