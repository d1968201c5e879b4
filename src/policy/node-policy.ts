import {messageOf} from '../model/error-text.ts';
import {optionTable, type OptionDefinition} from '../model/option-table.ts';
import {OptionError, parseOptionValue} from '../model/option-value.ts';
import {nearestOptionName} from '../model/volume-options.ts';
import {parseEndpointPattern, type EndpointPattern} from './endpoint-pattern.ts';
import {findDuplicateKey} from './find-duplicate-key.ts';
import {PolicyError} from './policy-error.ts';
import {PolicyFields} from './policy-fields.ts';
import {parsePolicyPattern, type PolicyPattern} from './policy-pattern.ts';

/** Who may mount what on this node: the first rule whose namespaces match holds; docs/POLICY.md is its reference. */
export type NodePolicy = {
	/** Goes into the tags of buckets, and must be in those of a namespace's own. */
	readonly cluster: string | undefined;
	readonly rules: readonly PolicyRule[];
};

export type PolicyRule = {
	/** In the file, such as `rules[0]`; `undefined` for the built-in rule. */
	readonly place: string | undefined;
	readonly namespaces: readonly PolicyPattern[];
	/** `undefined`: a Secret is required. */
	readonly withNodeCredentials: PolicyGrant | undefined;
	/** `undefined`: Secrets are not taken. */
	readonly withSecret: PolicyGrant | undefined;
	readonly limits: readonly OptionLimit[];
	/** Options that must have their default. */
	readonly forbiddenOptions: readonly OptionDefinition[];
};

export type PolicyGrant = {
	/** Buckets that we made for the pod's namespace. */
	readonly isOwnBucketAllowed: boolean;
	/** Buckets whatever their tags say. */
	readonly buckets: readonly BucketPattern[];
	readonly endpoints: readonly EndpointPattern[];
	readonly isCreationAllowed: boolean;
};

export type BucketPattern = {
	readonly bucket: PolicyPattern;
	/** The volume's prefix must be this or lie below it. */
	readonly prefix: PolicyPattern | undefined;
};

export type OptionLimit = {readonly definition: OptionDefinition & {readonly kind: 'bytes'}; readonly bytesMax: number};

const policyLengthMax = 2 ** 20;
const ruleKeys = ['namespaces', 'withNodeCredentials', 'withSecret', 'limits', 'forbidOptions'];
const grantKeys = ['ownBuckets', 'buckets', 'endpoints', 'create'];

const anyPattern: PolicyPattern = {text: '*', components: [[{kind: 'any'}]]};

/**
What holds where nothing else is said: without a policy, for a namespace without a rule, for a key that a rule
leaves out.
*/
export const builtInRule: PolicyRule = {
	place: undefined,
	namespaces: [anyPattern],
	withNodeCredentials: {isOwnBucketAllowed: true, buckets: [], endpoints: [{kind: 'aws'}], isCreationAllowed: true},
	withSecret: {
		isOwnBucketAllowed: false,
		buckets: [{bucket: anyPattern, prefix: undefined}],
		endpoints: [{kind: 'aws'}, {kind: 'any'}],
		isCreationAllowed: true,
	},
	limits: [],
	forbiddenOptions: [],
};

export const builtInPolicy: NodePolicy = {cluster: undefined, rules: []};

/** Reads the text of a policy file. A `PolicyError` says where it is wrong, and which key may have been meant. */
export const parseNodePolicy = (text: string): NodePolicy => {
	const policy = new PolicyFields(parseJson(text), '', ['version', 'cluster', 'rules']);
	const version = policy.text('version');
	if (version !== undefined && version !== '1') {
		throw new PolicyError('version', 'it must be "1"');
	}

	const cluster = policy.text('cluster');
	if (cluster !== undefined && !/^[A-Za-z\d][\w.-]{0,126}$/.test(cluster)) {
		throw new PolicyError('cluster', 'it must be a name of up to 127 letters, digits, dots, hyphens and underscores');
	}

	return {cluster, rules: (policy.objects('rules', ruleKeys) ?? []).map(rule => parseRule(rule))};
};

const parseJson = (text: string): unknown => {
	if (text.length > policyLengthMax) {
		throw new PolicyError('', `it is longer than ${policyLengthMax} characters`);
	}

	let parsed: unknown;
	try {
		parsed = JSON.parse(text);
	} catch (error) {
		throw new PolicyError('', `it is not valid JSON: ${messageOf(error)}`);
	}

	const duplicate = findDuplicateKey(text);
	if (duplicate !== undefined) {
		throw new PolicyError(duplicate, 'this key is there twice; keep one of them');
	}

	return parsed;
};

const parseRule = (rule: PolicyFields): PolicyRule => {
	const namespaces = rule.list('namespaces', parseNamespacePattern);
	if (namespaces === undefined || namespaces.length === 0) {
		throw new PolicyError(rule.place, 'it needs "namespaces", a list of names or patterns such as ["team-*"]');
	}

	return {
		place: rule.place,
		namespaces,
		withNodeCredentials: parseGrant(rule, 'withNodeCredentials'),
		withSecret: parseGrant(rule, 'withSecret'),
		limits: (rule.texts('limits') ?? []).map(([name, value]) =>
			parseLimit(`${rule.place}.limits.${name}`, name, value),
		),
		forbiddenOptions: rule.list('forbidOptions', parseForbiddenOption) ?? builtInRule.forbiddenOptions,
	};
};

const parseGrant = (rule: PolicyFields, key: 'withNodeCredentials' | 'withSecret'): PolicyGrant | undefined => {
	const builtIn = builtInRule[key];
	const fields = rule.objectOrFlag(key, grantKeys) ?? true;
	if (typeof fields === 'boolean' || builtIn === undefined) {
		return fields === false ? undefined : builtIn;
	}

	const isOwnBucketAllowed = fields.flag('ownBuckets') ?? builtIn.isOwnBucketAllowed;
	// A Secret that is only good for some buckets: the list says so, or "ownBuckets" alone does.
	const buckets =
		fields.objects('buckets', ['bucket', 'prefix'])?.map(bucket => parseBucket(bucket)) ??
		(fields.flag('ownBuckets') === true ? [] : builtIn.buckets);
	return {
		isOwnBucketAllowed,
		buckets,
		endpoints: fields.list('endpoints', parseEndpointPattern) ?? builtIn.endpoints,
		isCreationAllowed: fields.flag('create') ?? builtIn.isCreationAllowed,
	};
};

const parseNamespacePattern = (text: string): PolicyPattern | {readonly wrong: string} =>
	/^[a-z\d*-]{1,63}$/.test(text)
		? parsePolicyPattern(text)
		: {wrong: 'must be the name of a namespace, in which "*" stands for any characters'};

const parseBucket = (fields: PolicyFields): BucketPattern => {
	const bucket = fields.text('bucket');
	if (bucket === undefined) {
		throw new PolicyError(fields.place, 'it needs "bucket", a name or a pattern such as "{namespace}-files"');
	}

	if (!/^[a-z\d.*-]+$/.test(bucket.replaceAll('{namespace}', 'n'))) {
		throw new PolicyError(
			`${fields.place}.bucket`,
			`"${bucket.slice(0, 80)}" must be the name of a bucket (lower-case letters, digits, dots and hyphens), in which "*" stands for any characters and "{namespace}" for the pod's namespace`,
		);
	}

	const prefix = fields.text('prefix')?.replace(/^\/+|\/+$/g, '');
	return {
		bucket: parseText(`${fields.place}.bucket`, bucket),
		prefix: prefix === undefined || prefix === '' ? undefined : parseText(`${fields.place}.prefix`, prefix),
	};
};

const parseText = (place: string, text: string): PolicyPattern => {
	const pattern = parsePolicyPattern(text);
	if ('wrong' in pattern) {
		throw new PolicyError(place, `"${text.slice(0, 80)}" ${pattern.wrong}`);
	}

	return pattern;
};

const parseLimit = (place: string, name: string, value: string): OptionLimit => {
	const definition = optionTable.find(option => option.name === name);
	if (definition?.kind !== 'bytes') {
		throw new PolicyError(
			place,
			`no option of this name is a size; those that are one: ${optionTable
				.filter(({kind}) => kind === 'bytes')
				.map(option => option.name)
				.join(', ')}`,
		);
	}

	try {
		const bytesMax = Number(parseOptionValue(definition, value));
		if (bytesMax === 0 && name === 'memory') {
			throw new PolicyError(place, '0 cannot limit memory: it means a size that fits the node');
		}

		return {definition, bytesMax};
	} catch (error) {
		throw error instanceof OptionError ? new PolicyError(place, error.message) : error;
	}
};

/** `name` is not among them: a volume without a bucket is none. */
const parseForbiddenOption = (name: string): OptionDefinition | {readonly wrong: string} =>
	optionTable.find(option => option.name === name && name !== 'name') ?? {
		wrong: `is not an option that can be forbidden; did you mean "${nearestOptionName(name)}"?`,
	};
