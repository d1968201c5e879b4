import type {VolumeRule} from '../model/volume-rule.ts';
import {formatBytes} from '../model/byte-size.ts';
import {parseOptionValue} from '../model/option-value.ts';
import type {VolumeOptions} from '../model/volume-options.ts';
import {matchEndpoint} from './endpoint-pattern.ts';
import {builtInRule, type BucketPattern, type NodePolicy, type PolicyGrant, type PolicyRule} from './node-policy.ts';
import {isNamespaceName, isWithinPattern, matchesPattern} from './policy-pattern.ts';
import {toRemedy} from './policy-remedy.ts';

/** Who asks for which volume. */
export type MountQuestion = {
	readonly namespace: string;
	readonly options: VolumeOptions;
	/** The volume brings credentials of its own. */
	readonly hasSecret: boolean;
};

export type MountDecision =
	/** With options that keep the limits, and a rule that is held where the bucket can be asked. */
	| {readonly decision: 'allowed'; readonly options: VolumeOptions; readonly rule: VolumeRule}
	/** In words for the author of the pod; the end says what in the policy would allow it. */
	| {readonly decision: 'refused'; readonly message: string};

/** What a volume without the option `memory` takes at most; see `daemon/memory-budget.ts`. */
const automaticMemoryBytesMax = 128 * 2 ** 20;

/** What a rule does not let a namespace have, and what to do about it. */
type Refusal = {readonly what: string; readonly remedy: string};

/** Whether the policy lets a pod of this namespace have this volume. */
export const decideMount = (policy: NodePolicy, question: MountQuestion): MountDecision => {
	const {namespace, options, hasSecret} = question;
	if (!isNamespaceName(namespace)) {
		return {
			decision: 'refused',
			message: `Cannot mount: the pod's namespace is not a name that Kubernetes allows: ${JSON.stringify(namespace.slice(0, 80))}`,
		};
	}

	const rule = findRule(policy, namespace);
	const section = hasSecret ? 'withSecret' : 'withNodeCredentials';
	const remedyOf: RemedyOf = (key, value) => toRemedy({rule, namespace, section, key, value});
	const grant = rule[section];
	if (grant === undefined) {
		return refuse(namespace, refuseCredentials(question, remedyOf));
	}

	const endpointMatch = matchEndpoint(grant.endpoints, options.endpoint, namespace);
	if (endpointMatch === undefined) {
		return refuse(namespace, refuseEndpoint(question, remedyOf));
	}

	const limited = restrictOptions(rule, options);
	if ('what' in limited) {
		return refuse(namespace, limited);
	}

	const {name, prefix} = options;
	if (!isPlainPrefix(prefix)) {
		return {
			decision: 'refused',
			message: `Cannot mount: the option "prefix" must not have ".", ".." or an empty component between its slashes: current value is ${JSON.stringify(prefix.slice(0, 80))}`,
		};
	}

	const bucketRemedy = remedyOf('buckets', {bucket: name, ...(prefix === '' ? {} : {prefix})});
	const isListed = grant.buckets.some(pattern => isBucketListed(pattern, {name, prefix, namespace}));
	if (!isListed && !grant.isOwnBucketAllowed) {
		return refuse(namespace, {what: notUsable(describeVolume(options), question), remedy: bucketRemedy});
	}

	const isByName = endpointMatch === 'named';
	const creationRemedy = remedyOf('create', true);
	return {
		decision: 'allowed',
		options: limited.options,
		rule: toVolumeRule({grant, policy, namespace, isListed, isByName, bucketRemedy, creationRemedy}),
	};
};

const refuse = (namespace: string, {what, remedy}: Refusal): MountDecision => ({
	decision: 'refused',
	message: `The node policy refuses this volume to namespace "${namespace}": ${what}. To allow it, ${remedy}`,
});

/** What the policy would have to say under a key of the grant. */
type RemedyOf = (key: string, value: unknown) => string;

const refuseCredentials = ({hasSecret}: MountQuestion, remedyOf: RemedyOf): Refusal =>
	hasSecret
		? {
				what: 'it may not bring credentials of its own',
				remedy: `leave out secretRef, or ${remedyOf('', true)}`,
			}
		: {
				what: 'it must bring credentials of its own',
				remedy: `give the volume a secretRef to a Secret of type pnx/volume, or ${remedyOf('', true)}`,
			};

const refuseEndpoint = (question: MountQuestion, remedyOf: RemedyOf): Refusal => {
	const {endpoint} = question.options;
	return {
		what: notUsable(endpoint === '' ? 'AWS (no option "endpoint")' : `endpoint ${endpoint}`, question),
		remedy: remedyOf('endpoints', toPlainEndpoint(endpoint)),
	};
};

const notUsable = (what: string, {hasSecret}: MountQuestion): string =>
	`it may not use ${what} ${hasSecret ? 'with a Secret' : "with the node's credentials"}`;

/** The first rule that names the namespace. */
export const findRule = ({rules}: NodePolicy, namespace: string): PolicyRule =>
	rules.find(({namespaces}) => namespaces.some(pattern => matchesPattern(pattern, namespace, namespace))) ??
	builtInRule;

const isBucketListed = (
	{bucket, prefix: allowed}: BucketPattern,
	{name, prefix, namespace}: {name: string; prefix: string; namespace: string},
): boolean =>
	matchesPattern(bucket, name, namespace) &&
	(allowed === undefined || isWithinPattern(allowed, trimSlashes(prefix), namespace));

/** A server, or a proxy before it, might take `a/../b` for `b`. */
const isPlainPrefix = (prefix: string): boolean => {
	const trimmed = trimSlashes(prefix);
	return (
		trimmed === '' || trimmed.split('/').every(component => component !== '' && component !== '.' && component !== '..')
	);
};

/**
The options as the rule has them. Larger sizes than its limits are refused where the author asked for them, and lowered
where they are the default.
*/
const restrictOptions = (rule: PolicyRule, options: VolumeOptions): {readonly options: VolumeOptions} | Refusal => {
	const {limits, forbiddenOptions, place = 'rules'} = rule;
	const forbidden = forbiddenOptions.find(
		definition => options[definition.field] !== parseOptionValue(definition, definition.default),
	);
	if (forbidden !== undefined) {
		return {
			what: `it may not set the option "${forbidden.name}"`,
			remedy: `leave the option out, or take "${forbidden.name}" out of ${place}.forbidOptions of the policy`,
		};
	}

	const lowered: Record<string, number> = {};
	for (const {definition, bytesMax} of limits) {
		const asked = Number(options[definition.field]);
		const bytes = definition.name === 'memory' && asked === 0 ? automaticMemoryBytesMax : asked;
		if (bytes <= bytesMax) {
			continue;
		}

		if (asked !== Number(parseOptionValue(definition, definition.default))) {
			return {
				what: `option "${definition.name}" may be ${formatBytes(bytesMax)} at most, and is ${formatBytes(asked)}`,
				remedy: `ask for less, or raise ${place}.limits of the policy`,
			};
		}

		lowered[definition.field] = bytesMax;
	}

	return {options: Object.freeze({...options, ...lowered})};
};

const toVolumeRule = ({
	grant,
	policy: {cluster},
	namespace,
	isListed,
	isByName,
	bucketRemedy,
	creationRemedy,
}: {
	grant: PolicyGrant;
	policy: NodePolicy;
	namespace: string;
	isListed: boolean;
	isByName: boolean;
	bucketRemedy: string;
	creationRemedy: string;
}): VolumeRule => ({
	...(isListed ? {} : {ownedBy: {namespace, remedy: bucketRemedy}}),
	...(cluster === undefined ? {} : {cluster}),
	...(grant.isCreationAllowed ? {} : {creationForbidden: {remedy: creationRemedy}}),
	...(isByName ? {} : {isLocalEndpointRefused: true}),
});

const describeVolume = ({name, prefix}: VolumeOptions): string =>
	`bucket "${name}"${prefix === '' ? '' : ` with prefix ${JSON.stringify(prefix.slice(0, 80))}`}`;

const trimSlashes = (text: string): string => text.replace(/^\/+|\/+$/g, '');

/** As a pattern that allows just this endpoint. */
const toPlainEndpoint = (endpoint: string): string =>
	endpoint === '' ? 'aws' : (URL.parse(endpoint)?.origin ?? endpoint);
