import {nearestName} from '../model/volume-options.ts';
import {PolicyError} from './policy-error.ts';

/** Reads the fields of one object of the policy; every method throws a `PolicyError` that names the field. */
export type PolicyFields = {
	readonly place: string;
	readonly has: (key: string) => boolean;
	readonly text: (key: string) => string | undefined;
	readonly flag: (key: string) => boolean | undefined;
	/** The texts of a list, each parsed; a result with `wrong` is an error. */
	readonly list: <Item extends object>(
		key: string,
		parse: (text: string) => Item | {readonly wrong: string},
	) => Item[] | undefined;
	/** The objects of a list. */
	readonly objects: (key: string, keys: readonly string[]) => PolicyFields[] | undefined;
	/** An object, or `true` or `false` in its place. */
	readonly objectOrFlag: (key: string, keys: readonly string[]) => PolicyFields | boolean | undefined;
	/** The texts of an object whose keys are one's own to check. */
	readonly texts: (key: string) => ReadonlyArray<readonly [string, string]> | undefined;
};

/** Every object may have one: JSON has no comments. */
const commentKey = 'comment';
const listLengthMax = 1000;

/** An object with only these keys, and `comment`. */
export const readPolicyFields = (value: unknown, place: string, keys: readonly string[]): PolicyFields => {
	const fields = toObject(value, place);
	for (const [key, field] of fields) {
		if (key === commentKey && typeof field !== 'string') {
			throw new PolicyError(join(place, key), 'it must be a text');
		}

		if (key !== commentKey && !keys.includes(key)) {
			throw new PolicyError(join(place, key), `there is no such key; did you mean "${nearestKey(key, keys)}"?`);
		}
	}

	const typed = <Type extends string | boolean>(
		key: string,
		type: 'string' | 'boolean',
		rule: string,
	): Type | undefined => {
		const field = fields.get(key);
		if (field !== undefined && typeof field !== type) {
			throw new PolicyError(join(place, key), `it must be ${rule}`);
		}

		return field as Type | undefined;
	};

	const items = (key: string): unknown[] | undefined => {
		const field = fields.get(key);
		if (field !== undefined && (!Array.isArray(field) || field.length > listLengthMax)) {
			throw new PolicyError(
				join(place, key),
				`it must be a list of at most ${listLengthMax} items, in square brackets`,
			);
		}

		return field;
	};

	return {
		place,
		has: key => fields.has(key),
		text: key => typed<string>(key, 'string', 'a text in quotes'),
		flag: key => typed<boolean>(key, 'boolean', 'true or false'),
		list: (key, parse) => items(key)?.map((item, index) => parseItem(item, `${join(place, key)}[${index}]`, parse)),
		objects: (key, itemKeys) =>
			items(key)?.map((item, index) => readPolicyFields(item, `${join(place, key)}[${index}]`, itemKeys)),
		objectOrFlag(key, objectKeys) {
			const field = fields.get(key);
			return field === undefined || typeof field === 'boolean'
				? field
				: readPolicyFields(field, join(place, key), objectKeys);
		},
		texts: key =>
			fields.has(key)
				? [...toObject(fields.get(key), join(place, key))]
						.filter(([name]) => name !== commentKey)
						.map(([name, item]) => {
							if (typeof item !== 'string') {
								throw new PolicyError(join(place, key, name), 'it must be a text in quotes');
							}

							return [name, item] as const;
						})
				: undefined,
	};
};

const toObject = (value: unknown, place: string): Map<string, unknown> => {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) {
		throw new PolicyError(place, 'it must be an object, in braces');
	}

	return new Map(Object.entries(value));
};

const parseItem = <Item extends object>(
	item: unknown,
	place: string,
	parse: (text: string) => Item | {readonly wrong: string},
): Item => {
	if (typeof item !== 'string') {
		throw new PolicyError(place, 'it must be a text in quotes');
	}

	const parsed = parse(item);
	if ('wrong' in parsed) {
		throw new PolicyError(place, `"${item.slice(0, 80)}" ${parsed.wrong}`);
	}

	return parsed;
};

/** As users write keys: the comparison is in lower case. */
const nearestKey = (key: string, keys: readonly string[]): string => {
	const {nearest} = nearestName(
		key,
		keys.map(candidate => candidate.toLowerCase()),
	);
	return keys.find(candidate => candidate.toLowerCase() === nearest) ?? nearest;
};

const join = (...parts: readonly string[]): string => parts.filter(part => part !== '').join('.');
