/** The DaemonSet and the agent that it runs belong together: flags, ports, probes, paths, rights. */
import {execFile} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {promisify} from 'node:util';
import type {IContainer} from 'kubernetes-models/v1/Container';
import {AgentServer} from '../../../src/agent/http/agent-server.ts';
import {daemonCapabilities} from '../../../src/node/launch/daemon-privileges.ts';
import {
	findOne,
	kubectl,
	kustomizations,
	parseManifests,
	render,
	repository,
	type Manifest,
} from './support/manifests.ts';
import {containersOf, podTemplatesOf, type PodTemplate} from './support/pod-templates.ts';
import {testThatNeeds} from '../../support/needs.ts';

const run = promisify(execFile);
const {test: withKubectl} = testThatNeeds(kubectl);
const {version} = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {version: string};

const agentOf = (manifests: readonly Manifest[]): {template: PodTemplate; container: IContainer} => {
	const [template] = podTemplatesOf([findOne(manifests, 'DaemonSet', 'pnx-volume')]);
	const container = containersOf(template!).find(({args}) => args?.[0] === 'agent'); // A DaemonSet has one.
	return {template: template!, container: container!};
};

/** `--flag=value`, of every container that runs our program. */
const flagOf = (container: IContainer | undefined, flag: string): string | undefined =>
	container?.args?.find(argument => argument.startsWith(`--${flag}=`))?.slice(flag.length + 3);

withKubectl('every flag that a manifest gives to our program is one that the command knows', async t => {
	const helps = new Map<string, string>();
	for (const directory of kustomizations) {
		const ours = podTemplatesOf(await render(directory))
			.flatMap(template => containersOf(template))
			.filter(({image, command}) => image?.startsWith('pnx-volume') === true && command === undefined);
		t.true(ours.length > 0, directory);
		for (const {args: [command = '', ...flags] = []} of ours) {
			const help =
				helps.get(command) ??
				(await run('node', [join(repository, 'dist', 'bin', 'pnx-volume.js'), command, '--help'])).stdout;
			helps.set(command, help);
			t.true(help.startsWith(`pnx-volume ${command}`), help);
			for (const flag of flags) {
				const name = /^--[a-z-]+/.exec(flag)?.[0] ?? flag;
				t.regex(help, new RegExp(`^ +${name}\\b`, 'm'), `${directory}: ${name}`);
			}
		}
	}
});

withKubectl(
	'the image is said in one place, with the version of package.json, and everything of ours runs it',
	async t => {
		const component = readFileSync(join(repository, 'daemonset', 'image', 'kustomization.yaml'), 'utf8');
		t.is(/newTag: (\S+)/.exec(component)?.[1], version);
		for (const directory of kustomizations) {
			const images = podTemplatesOf(await render(directory))
				.flatMap(template => containersOf(template))
				.map(({image}) => image);
			t.deepEqual(
				[...new Set(images)].filter(image => image !== `pnx-volume:${version}` && image !== 'busybox:1.37'),
				[],
				directory,
			);
		}
	},
);

withKubectl('probes and ports of the DaemonSet are those at which the agent listens and what it answers', async t => {
	const {container} = agentOf(await render('daemonset'));
	const portOf = (name: string): number | undefined => container.ports?.find(port => port.name === name)?.containerPort;
	t.is(flagOf(container, 'metrics-listen'), `:${portOf('metrics')}`);
	t.is(flagOf(container, 'status-listen'), `127.0.0.1:${portOf('status')}`);

	const snapshot = {
		version,
		nodeName: 'node-1',
		startedAtMs: Date.now(),
		notices: [],
		problems: ['The driver is not installed yet'],
	};
	const server = await AgentServer.start({metricsListen: '127.0.0.1:0', snapshot: () => snapshot});
	t.teardown(() => server.close());
	const {startupProbe, readinessProbe, livenessProbe} = container;
	const statuses = await Promise.all(
		[startupProbe, readinessProbe, livenessProbe].map(async probe => {
			t.is(probe?.httpGet?.port, 'metrics');
			return (await fetch(`http://${server.metricsAddress}${probe?.httpGet?.path}`)).status;
		}),
	);
	// What keeps it from being ready is no reason to kill it, nor not to start it.
	t.deepEqual(statuses, [200, 503, 200]);
});

withKubectl(
	'the agent reads the policy where the ConfigMap is mounted, and a changed one arrives in a running pod',
	async t => {
		for (const directory of kustomizations.filter(name => name !== 'daemonset/uninstall')) {
			const manifests = await render(directory);
			const {template, container} = agentOf(manifests);
			const [mount] = container.volumeMounts ?? [];
			const volume = template.spec.volumes?.find(({name}) => name === mount?.name);
			const {data} = findOne(manifests, 'ConfigMap', volume?.configMap?.name) as Manifest & {
				data: Record<string, string>;
			};
			t.deepEqual(
				Object.keys(data).map(key => `${mount?.mountPath}/${key}`),
				[flagOf(container, 'policy')],
			);
			t.is(mount?.subPath, undefined);
		}
	},
);

withKubectl(
	'the agent has no path of the node, no network of the node, and no right beyond those that are listed',
	async t => {
		for (const directory of kustomizations) {
			const manifests = await render(directory);
			const {
				template: {spec},
				container: {securityContext},
			} = agentOf(manifests);
			t.deepEqual(
				(spec.volumes ?? []).filter(({hostPath}) => hostPath !== undefined),
				[],
			);
			t.is(spec.hostPID, true);
			t.is(spec.hostNetwork, undefined);
			t.like(securityContext, {privileged: false, readOnlyRootFilesystem: true, capabilities: {drop: ['ALL']}});
			t.deepEqual(securityContext?.capabilities?.add?.toSorted(), [
				'DAC_OVERRIDE',
				'DAC_READ_SEARCH',
				'KILL',
				'LINUX_IMMUTABLE',
				'SETPCAP',
				'SYS_ADMIN',
				'SYS_CHROOT',
				'SYS_PTRACE',
				'SYS_RESOURCE',
			]);

			// What a daemon started by the watch is to keep, the watch has to have.
			t.deepEqual(
				daemonCapabilities.filter(name => securityContext?.capabilities?.add?.includes(name) !== true),
				[],
			);

			const rules = manifests
				.filter(({kind}) => kind === 'ClusterRole' || kind === 'Role')
				.flatMap(role => role['rules'] as unknown[]);
			const events = {apiGroups: [''], resources: ['events'], verbs: ['create', 'patch']};
			// Only who asks for it gets the right to ask kubelets: it opens much more.
			t.deepEqual(
				rules,
				directory === 'daemonset/overlays/ask-kubelet'
					? [{apiGroups: [''], resources: ['nodes/proxy'], verbs: ['get']}, events]
					: [events],
				directory,
			);
		}
	},
);

withKubectl("what is bound to a ServiceAccount is bound to the one of the agent's pods", async t => {
	for (const directory of kustomizations) {
		const manifests = await render(directory);
		const {
			metadata: {name, namespace},
		} = findOne(manifests, 'ServiceAccount');
		const {template} = agentOf(manifests);
		t.is(template.spec.serviceAccountName, name);
		t.is(template.namespace, namespace!); // It is namespaced.
		for (const binding of manifests.filter(({kind}) => kind.endsWith('Binding'))) {
			t.deepEqual(binding['subjects'], [{kind: 'ServiceAccount', name, namespace}]);
		}

		for (const {owner, labels} of podTemplatesOf(manifests)) {
			const {matchLabels} = (owner['spec'] as {selector: {matchLabels: Record<string, string>}}).selector;
			t.deepEqual({...labels, ...matchLabels}, labels);
		}
	}
});

withKubectl(
	'Prometheus is told to scrape the pods of the DaemonSet at the port where the agent serves metrics',
	async t => {
		const {template, container} = agentOf(await render('daemonset'));
		const monitor = findOne(
			parseManifests(readFileSync(join(repository, 'daemonset', 'monitoring', 'pod-monitor.yaml'), 'utf8')),
			'PodMonitor',
		);
		const {selector, podMetricsEndpoints} = monitor['spec'] as {
			selector: {matchLabels: Record<string, string>};
			podMetricsEndpoints: Array<{port: string}>;
		};
		t.is(monitor.metadata.namespace, template.namespace);
		t.deepEqual({...template.labels, ...selector.matchLabels}, template.labels);
		t.deepEqual(
			podMetricsEndpoints.filter(({port}) => container.ports?.every(({name}) => name !== port)),
			[],
		);
	},
);

withKubectl('the uninstaller takes the place of the agent, with the same rights, and waits as nobody', async t => {
	const before = agentOf(await render('daemonset'));
	const {template, container} = agentOf(await render('daemonset/uninstall'));
	t.deepEqual(template.spec.initContainers, [container]);
	t.true(container.args?.includes('--uninstall'));
	t.deepEqual(container.securityContext, before.container.securityContext);
	t.deepEqual(template.labels, before.template.labels);
	t.is(flagOf(container, 'host-pid'), flagOf(before.container, 'host-pid'));
	t.deepEqual(template.annotations, {
		[`container.apparmor.security.beta.kubernetes.io/${container.name}`]: 'unconfined',
	});
	const [done] = template.spec.containers;
	t.like(done?.securityContext, {runAsNonRoot: true, allowPrivilegeEscalation: false});
});

withKubectl('the overlay for old clusters says by annotation what the field says', async t => {
	const {securityContext} = agentOf(await render('daemonset')).container;
	t.is(securityContext?.appArmorProfile?.type, 'Unconfined');
	const {template, container} = agentOf(await render('daemonset/overlays/kubernetes-before-1.30'));
	t.is(template.annotations[`container.apparmor.security.beta.kubernetes.io/${container.name}`], 'unconfined');
	t.is(container.securityContext?.appArmorProfile, undefined);
});
