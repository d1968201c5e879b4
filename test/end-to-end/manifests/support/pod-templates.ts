import type {IContainer} from 'kubernetes-models/v1/Container';
import type {IPodSpec} from 'kubernetes-models/v1/PodSpec';
import type {Manifest} from './manifests.ts';

/** A pod as a manifest describes it, itself or by the template of a workload. */
export type PodTemplate = {
	readonly owner: Manifest;
	readonly namespace: string;
	readonly labels: Readonly<Record<string, string>>;
	readonly annotations: Readonly<Record<string, string>>;
	readonly spec: IPodSpec;
};

type Template = {metadata?: {labels?: Record<string, string>; annotations?: Record<string, string>}; spec: IPodSpec};
type Workload = Manifest & {spec: {template?: Template; jobTemplate?: {spec: {template: Template}}}};

/** Every pod of these manifests. */
export const podTemplatesOf = (manifests: readonly Manifest[]): PodTemplate[] =>
	manifests.flatMap(owner => {
		const namespace = owner.metadata.namespace ?? 'default';
		switch (owner.kind) {
			case 'Pod': {
				return [
					{owner, namespace, labels: owner.metadata.labels ?? {}, annotations: {}, spec: owner['spec'] as IPodSpec},
				];
			}

			case 'CronJob':
			case 'DaemonSet':
			case 'Deployment':
			case 'Job':
			case 'StatefulSet': {
				const {spec} = owner as Workload;
				const template = spec.jobTemplate?.spec.template ?? spec.template!; // One of the two is required.
				return [
					{
						owner,
						namespace,
						labels: template.metadata?.labels ?? {},
						annotations: template.metadata?.annotations ?? {},
						spec: template.spec,
					},
				];
			}

			default: {
				return [];
			}
		}
	});

/** Containers of every kind. */
export const containersOf = ({spec}: PodTemplate): readonly IContainer[] => [
	...(spec.initContainers ?? []),
	...spec.containers,
];
