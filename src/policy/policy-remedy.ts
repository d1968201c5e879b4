import type {PolicyRule} from './node-policy.ts';

/**
What to add to the policy so that a namespace may have what it was refused: into the rule that held, or, where the
built-in one did, a rule of its own. `key` is a key of the section; empty for the section itself.
*/
export const toRemedy = ({
	rule,
	namespace,
	section,
	key,
	value,
}: {
	rule: PolicyRule;
	namespace: string;
	section: 'withNodeCredentials' | 'withSecret';
	key: string;
	value: unknown;
}): string => {
	const isList = key === 'buckets' || key === 'endpoints';
	if (rule.place === undefined) {
		const content = key === '' ? value : {[key]: isList ? [value] : value};
		return `add to "rules" of the policy (docs/POLICY.md): ${JSON.stringify({namespaces: [namespace], [section]: content})}`;
	}

	const place = [rule.place, section, key].filter(part => part !== '').join('.');
	const advice = isList
		? `add ${JSON.stringify(value)} to ${place} of the policy (docs/POLICY.md)`
		: `set ${place} of the policy (docs/POLICY.md) to ${JSON.stringify(value)}`;
	const isForOthers = rule.namespaces.some(({text}) => text !== namespace);
	return isForOthers
		? `${advice}; that rule applies to other namespaces, too: to change it for this one alone, put a changed copy of the rule before it, with ${JSON.stringify({namespaces: [namespace]}).slice(1, -1)}`
		: advice;
};
