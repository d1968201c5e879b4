/**
Patterns of the node policy: `*` stands for any run of characters but `/`, and `{namespace}` for the name of the pod's
namespace. That name is a DNS label, so it brings neither wildcards nor slashes with it.
*/
export type PolicyPattern = {
	/** As the policy has it. */
	readonly text: string;
	/** One list of tokens for each component between slashes. */
	readonly components: ReadonlyArray<readonly Token[]>;
};

type Token = {readonly kind: 'text'; readonly text: string} | {readonly kind: 'any'} | {readonly kind: 'namespace'};

/** RFC 1123, as Kubernetes names namespaces. */
const dnsLabel = /^[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/;

/** More would let a pattern take long to match. */
const wildcardCountMax = 4;

export const isNamespaceName = (text: string): boolean => dnsLabel.test(text);

/** A pattern, or what is wrong with it for people. */
export const parsePolicyPattern = (text: string): PolicyPattern | {readonly wrong: string} => {
	const components = text.split('/').map(component => tokenize(component));
	if (components.some(tokens => tokens.length === 0 || isDots(tokens))) {
		return {wrong: 'must not have empty components, "." or ".." between its slashes'};
	}

	if (components.flat().filter(token => token.kind === 'any').length > wildcardCountMax) {
		return {wrong: `must not have more than ${wildcardCountMax} "*"`};
	}

	if (components.flat().some(token => token.kind === 'text' && /[{}\0-\u001F\u007F]/.test(token.text))) {
		return {wrong: 'must not have braces other than "{namespace}", nor control characters'};
	}

	if (components.some(tokens => isAmbiguous(tokens))) {
		return {
			wrong:
				'lets one namespace use what is meant for another: with "{namespace}-*", namespace "a" gets "a-b-c" of namespace "a-b"; put a "." or "/" between "{namespace}" and "*"',
		};
	}

	return {text, components};
};

/** Whether a text as a whole is what the pattern says. */
export const matchesPattern = (pattern: PolicyPattern, text: string, namespace: string): boolean => {
	const components = text.split('/');
	return components.length === pattern.components.length && isWithinPattern(pattern, text, namespace);
};

/** Whether a path is what the pattern says, or lies below that. The root, which is empty, is neither. */
export const isWithinPattern = ({components}: PolicyPattern, path: string, namespace: string): boolean => {
	const given = path.split('/');
	return (
		path !== '' &&
		given.length >= components.length &&
		components.every((tokens, index) => toExpression(tokens, namespace).test(given[index] ?? ''))
	);
};

const tokenize = (text: string): Token[] =>
	text
		.split(/(\*+|\{namespace\})/)
		.filter(part => part !== '')
		.map(part => {
			if (part.startsWith('*')) {
				return {kind: 'any'};
			}

			return part === '{namespace}' ? {kind: 'namespace'} : {kind: 'text', text: part};
		});

const isDots = ([first, ...others]: readonly Token[]): boolean =>
	others.length === 0 && first?.kind === 'text' && (first.text === '.' || first.text === '..');

/** Whether a namespace's name and a wildcard meet without a character between them that no name of a namespace has. */
const isAmbiguous = (tokens: readonly Token[]): boolean =>
	tokens.some(
		({kind}, index) =>
			kind === 'namespace' &&
			(runsIntoWildcard(tokens.slice(index + 1)) || runsIntoWildcard(tokens.slice(0, index).reverse())),
	);

const runsIntoWildcard = (tokens: readonly Token[]): boolean => {
	for (const token of tokens) {
		if (token.kind === 'any') {
			return true;
		}

		if (token.kind === 'text' && /[^a-z\d-]/.test(token.text)) {
			return false;
		}
	}

	return false;
};

const toExpression = (tokens: readonly Token[], namespace: string): RegExp => {
	const parts = tokens.map(token => {
		switch (token.kind) {
			case 'any': {
				return '[^/]*';
			}

			case 'namespace': {
				return escapeText(namespace);
			}

			case 'text': {
				return escapeText(token.text);
			}
		}
	});
	return new RegExp(`^${parts.join('')}$`, 's');
};

const escapeText = (text: string): string => text.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&');
