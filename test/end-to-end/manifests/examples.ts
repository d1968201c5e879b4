/** What the examples ask for is what the driver takes, and what the policy that is shipped with them allows. */
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import type {IFlexVolumeSource} from 'kubernetes-models/v1/FlexVolumeSource';
import test from 'ava';
import {decideMount} from '../../../src/policy/decide-mount.ts';
import {parseNodePolicy} from '../../../src/policy/node-policy.ts';
import {parseMountOptions} from '../../../src/flexvolume/parse-mount-options.ts';
import {
	examples,
	findOne,
	kubectl,
	kustomizations,
	parseManifests,
	readExample,
	render,
	repository,
	type Manifest,
} from './support/manifests.ts';
import {containersOf, podTemplatesOf} from './support/pod-templates.ts';
import {testThatNeeds} from '../../support/needs.ts';

type Volume = {
	readonly namespace: string;
	readonly source: IFlexVolumeSource;
	readonly secret: Manifest | undefined;
	readonly place: string;
};

const readText = (path: string): string => readFileSync(join(repository, path), 'utf8');
const {test: withKubectl} = testThatNeeds(kubectl);

/** The policies that are shipped: with the DaemonSet, and beside the example that needs another one. */
const policyOf = (path: string): string =>
	path.endsWith('/prefix-per-namespace.yaml')
		? 'daemonset/examples/policies/prefix-per-namespace.json'
		: 'daemonset/base/policy.json';

/** Every volume of ours, inline or by claim, with the namespace that a pod has it for. */
const volumesOf = (manifests: readonly Manifest[]): Volume[] => {
	const secretOf = (namespace: string, name: string | undefined): Manifest | undefined =>
		name === undefined
			? undefined
			: findOne(
					manifests.filter(({metadata}) => metadata.namespace === namespace),
					'Secret',
					name,
				);
	return podTemplatesOf(manifests).flatMap(({owner, namespace, spec}) =>
		(spec.volumes ?? []).flatMap((volume): Volume[] => {
			const place = `${owner.kind} ${namespace}/${owner.metadata.name}`;
			if (volume.flexVolume !== undefined) {
				return [
					{namespace, place, source: volume.flexVolume, secret: secretOf(namespace, volume.flexVolume.secretRef?.name)},
				];
			}

			if (volume.persistentVolumeClaim === undefined) {
				return [];
			}

			const claim = findOne(
				manifests.filter(({metadata}) => metadata.namespace === namespace),
				'PersistentVolumeClaim',
				volume.persistentVolumeClaim.claimName,
			);
			const {flexVolume} = findOne(manifests, 'PersistentVolume', (claim['spec'] as {volumeName: string}).volumeName)[
				'spec'
			] as {flexVolume: IFlexVolumeSource & {secretRef?: {name: string; namespace: string}}};
			const {secretRef} = flexVolume;
			return [
				{namespace, place, source: flexVolume, secret: secretOf(secretRef?.namespace ?? namespace, secretRef?.name)},
			];
		}),
	);
};

/** The JSON that the kubelet would make of it. */
const toCallJson = ({namespace, source, secret}: Volume): string =>
	JSON.stringify({
		...source.options,
		'kubernetes.io/fsType': source.fsType ?? '',
		'kubernetes.io/readwrite': source.readOnly === true ? 'ro' : 'rw',
		'kubernetes.io/pod.namespace': namespace,
		...Object.fromEntries(
			Object.entries((secret?.['stringData'] ?? {}) as Record<string, string>).map(([key, value]) => [
				`kubernetes.io/secret/${key}`,
				Buffer.from(value).toString('base64'),
			]),
		),
	});

const judge = (volume: Volume, policyText: string) => {
	const {options, credentials, pod} = parseMountOptions(toCallJson(volume));
	return {
		options,
		decision: decideMount(parseNodePolicy(policyText), {
			namespace: pod.namespace ?? '',
			options,
			hasSecret: credentials !== undefined,
		}),
	};
};

for (const path of examples) {
	test(`the driver takes every volume of ${path}, and the policy that belongs to it allows them`, t => {
		const volumes = volumesOf(readExample(path));
		t.true(volumes.length > 0);
		for (const volume of volumes) {
			t.is(volume.source.driver, 'pnx/volume', volume.place);
			const {decision} = judge(volume, readText(policyOf(path)));
			t.is(decision.decision, 'allowed', `${volume.place}: ${decision.decision === 'refused' ? decision.message : ''}`);
		}
	});

	test(`every Secret of ${path} has the type of the driver and is used, and every container sees the volume again after it was healed`, t => {
		const manifests = readExample(path);
		const volumes = volumesOf(manifests);
		for (const secret of manifests.filter(({kind}) => kind === 'Secret')) {
			t.is(secret['type'], 'pnx/volume');
			t.true(volumes.some(volume => volume.secret === secret));
		}

		for (const template of podTemplatesOf(manifests)) {
			const mounts = containersOf(template).flatMap(({volumeMounts}) => volumeMounts ?? []);
			t.deepEqual(
				mounts.map(({mountPropagation}) => mountPropagation),
				mounts.map(() => 'HostToContainer'),
			);
			const {selector} = template.owner['spec'] as {selector?: {matchLabels: Record<string, string>}};
			t.deepEqual({...template.labels, ...selector?.matchLabels}, template.labels);
		}
	});
}

test("the policy of prefixes gives a namespace its own prefix and no other, and no credentials but the node's", t => {
	const [first] = volumesOf(readExample('daemonset/examples/prefix-per-namespace.yaml'));
	const policy = readText('daemonset/examples/policies/prefix-per-namespace.json');
	const withPrefix = (prefix: string): Volume => ({
		...first!,
		source: {...first!.source, options: {...first!.source.options, prefix}},
	}); // The example has two.
	t.is(judge(withPrefix('team-a/deeper'), policy).decision.decision, 'allowed');
	t.is(judge(withPrefix('team-b'), policy).decision.decision, 'refused');
	t.is(judge(withPrefix(''), policy).decision.decision, 'refused');
	const secret = findOne(readExample('daemonset/examples/deployment-with-secret.yaml'), 'Secret');
	t.is(judge({...first!, secret}, policy).decision.decision, 'refused');
});

test('the example that is read-only is so for the driver, whatever its containers do', t => {
	const volumes = volumesOf(readExample('daemonset/examples/read-only.yaml'));
	t.deepEqual(
		volumes.map(volume => judge(volume, readText('daemonset/base/policy.json')).options.readOnly),
		[true],
	);
});

test('workloads that share files have the same options, so that a node has one daemon for them', t => {
	const volumes = volumesOf(readExample('daemonset/examples/shared-files.yaml'));
	t.is(volumes.length, 2);
	t.deepEqual(volumes[0]?.source, volumes[1]?.source);
});

test('a static pod refers to nothing that only an API server has', t => {
	const [template] = podTemplatesOf(readExample('daemonset/examples/static-pod.yaml'));
	t.notRegex(JSON.stringify(template?.spec), /secret|configMap|persistentVolumeClaim|serviceAccount/);
});

test('the Deployment of the README is the example, word for word', t => {
	const blocks = [...readText('README.md').matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, block]) => block ?? '');
	t.is(
		blocks.find(block => block.includes('kind: Deployment')),
		readText('daemonset/examples/deployment-with-secret.yaml'),
	);
	const [firstScreen] = blocks;
	const {volumes} = parseManifests(firstScreen ?? '')[0] as unknown as {
		volumes: Array<{flexVolume: IFlexVolumeSource}>;
	};
	t.is(
		judge(
			{namespace: 'web', place: 'README', source: volumes[0]!.flexVolume, secret: undefined},
			readText('daemonset/base/policy.json'),
		).decision.decision,
		'allowed',
	);
});

withKubectl(
	'the volumes of an overlay are allowed by the policy that the overlay installs, and their endpoint leads to its S3',
	async t => {
		const manifests = await render('daemonset/overlays/local-s3');
		const policy =
			(findOne(manifests, 'ConfigMap', 'pnx-volume-policy')['data'] as Record<string, string>)['policy.json'] ?? '';
		const volumes = volumesOf(manifests);
		t.is(volumes.length, 1);
		const [volume] = volumes;
		const {options, decision} = judge(volume!, policy); // Its number was just checked.
		t.is(decision.decision, 'allowed', decision.decision === 'refused' ? decision.message : '');
		t.is(volume?.secret?.['type'], 'pnx/volume');

		const {
			type,
			selector,
			ports: [port],
		} = findOne(manifests, 'Service', 's3')['spec'] as {
			type: string;
			selector: Record<string, string>;
			ports: [{nodePort: number; targetPort: string}];
		};
		t.is(options.endpoint, `http://127.0.0.1:${port.nodePort}`);
		t.is(type, 'NodePort');
		const server = podTemplatesOf(manifests).find(({owner}) => owner.metadata.name === 's3');
		t.like(server?.labels, selector);
		const [container] = server?.spec.containers ?? [];
		const {containerPort} = container?.ports?.find(({name}) => name === port.targetPort) ?? {};
		t.true(container?.args?.includes(`--port=${containerPort}`));
		const keys = volume?.secret?.['stringData'] as Record<string, string>;
		t.true(
			container?.args?.includes(`--access-key-id=${keys['access-key-id']}`) &&
				container.args.includes(`--secret-access-key=${keys['secret-access-key']}`),
		);
	},
);

withKubectl('every kustomization installs a policy that the driver takes', async t => {
	for (const directory of kustomizations) {
		const {'policy.json': text = ''} = findOne(await render(directory), 'ConfigMap', 'pnx-volume-policy')[
			'data'
		] as Record<string, string>;
		t.notThrows(() => parseNodePolicy(text), directory);
	}
});
