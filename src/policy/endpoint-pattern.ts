import {isLocalHost} from '../model/local-address.ts';
import {matchesPattern, parsePolicyPattern, type PolicyPattern} from './policy-pattern.ts';

/** An endpoint that the node policy allows. */
export type EndpointPattern =
	/** `"aws"`: the option `endpoint` is not set. */
	| {readonly kind: 'aws'}
	/** `"*"`: any server but this node itself and its metadata service. */
	| {readonly kind: 'any'}
	| {
			readonly kind: 'url';
			readonly scheme: string;
			readonly host: PolicyPattern /** `*`: any. */;
			readonly port: string;
	  };

const defaultPorts: Readonly<Record<string, string>> = {http: '80', https: '443'};

/** A pattern of the policy, or what is wrong with it for people. */
export const parseEndpointPattern = (text: string): EndpointPattern | {readonly wrong: string} => {
	if (text === 'aws') {
		return {kind: 'aws'};
	}

	if (text === '*') {
		return {kind: 'any'};
	}

	const [, scheme, hostText, port] =
		/^(https?):\/\/((?:[a-z\d.*{}-]+)|(?:\[[\da-f:.]+\]))(?::(\d{1,5}|\*))?\/?$/.exec(text) ?? [];
	if (scheme === undefined || hostText === undefined) {
		return {
			wrong:
				'must be "aws", "*", or a URL in lower case such as "https://minio.example.com", "http://10.0.0.5:9000" or "https://*.example.com:*"',
		};
	}

	const host = parsePolicyPattern(hostText);
	return 'wrong' in host ? host : {kind: 'url', scheme, host, port: port ?? defaultPorts[scheme] ?? ''};
};

/**
Whether the policy allows an endpoint. `named`: by its own name, whatever it is; `matched`: by a wildcard, which never
means this node itself or its metadata service, neither by address nor by what a name turns out to lead to.
*/
export const matchEndpoint = (
	patterns: readonly EndpointPattern[],
	endpoint: string,
	namespace: string,
): 'named' | 'matched' | undefined => {
	if (endpoint === '') {
		return patterns.some(({kind}) => kind === 'aws') ? 'named' : undefined;
	}

	const url = URL.parse(endpoint);
	if (url === null) {
		return undefined;
	}

	const isMatched = (pattern: EndpointPattern): boolean =>
		pattern.kind === 'any' || (pattern.kind === 'url' && matchesUrl(pattern, url, namespace));
	if (patterns.some(pattern => pattern.kind === 'url' && !pattern.host.text.includes('*') && isMatched(pattern))) {
		return 'named';
	}

	return patterns.some(pattern => isMatched(pattern)) && !isLocalHost(url.hostname) ? 'matched' : undefined;
};

const matchesUrl = ({scheme, host, port}: EndpointPattern & {kind: 'url'}, url: URL, namespace: string): boolean =>
	url.protocol === `${scheme}:` &&
	matchesPattern(host, url.hostname, namespace) &&
	(port === '*' || port === (url.port === '' ? defaultPorts[scheme] : url.port));
