import {nearestName} from '../model/nearest-name.ts';
import {PolicyError} from './policy-error.ts';

/** Every object may have one: JSON has no comments. */
const commentKey = 'comment';
const listLengthMax = 1000;

/** The fields of one object of the policy; every method throws a `PolicyError` that names the field. */
export class PolicyFields {
	readonly place: string;
	readonly #fields: ReadonlyMap<string, unknown>;

	/** An object with only these keys, and `comment`. */
	constructor(value: unknown, place: string, keys: readonly string[]) {
		this.place = place;
		this.#fields = toObject(value, place);
		for (const [key, field] of this.#fields) {
			if (key === commentKey && typeof field !== 'string') {
				throw new PolicyError(join(place, key), 'it must be a string');
			}

			if (key !== commentKey && !keys.includes(key)) {
				throw new PolicyError(join(place, key), `there is no such key; did you mean "${nearestKey(key, keys)}"?`);
			}
		}
	}

	has(key: string): boolean {
		return this.#fields.has(key);
	}

	text(key: string): string | undefined {
		return this.#typed<string>(key, 'string', 'a string in quotes');
	}

	flag(key: string): boolean | undefined {
		return this.#typed<boolean>(key, 'boolean', 'true or false');
	}

	/** The texts of a list, each parsed; a result with `wrong` is an error. */
	list<Item extends object>(key: string, parse: (text: string) => Item | {readonly wrong: string}): Item[] | undefined {
		return this.#items(key)?.map((item, index) => parseItem(item, `${join(this.place, key)}[${index}]`, parse));
	}

	/** The objects of a list. */
	objects(key: string, keys: readonly string[]): PolicyFields[] | undefined {
		return this.#items(key)?.map((item, index) => new PolicyFields(item, `${join(this.place, key)}[${index}]`, keys));
	}

	/** An object, or `true` or `false` in its place. */
	objectOrFlag(key: string, keys: readonly string[]): PolicyFields | boolean | undefined {
		const field = this.#fields.get(key);
		return field === undefined || typeof field === 'boolean'
			? field
			: new PolicyFields(field, join(this.place, key), keys);
	}

	/** The texts of an object whose keys are one's own to check. */
	texts(key: string): ReadonlyArray<readonly [string, string]> | undefined {
		if (!this.has(key)) {
			return undefined;
		}

		return [...toObject(this.#fields.get(key), join(this.place, key))]
			.filter(([name]) => name !== commentKey)
			.map(([name, item]) => {
				if (typeof item !== 'string') {
					throw new PolicyError(join(this.place, key, name), 'it must be a string in quotes');
				}

				return [name, item] as const;
			});
	}

	// The caller names the type that it asks for.
	// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
	#typed<Type extends string | boolean>(key: string, type: 'string' | 'boolean', rule: string): Type | undefined {
		const field = this.#fields.get(key);
		if (field !== undefined && typeof field !== type) {
			throw new PolicyError(join(this.place, key), `it must be ${rule}`);
		}

		return field as Type | undefined;
	}

	#items(key: string): unknown[] | undefined {
		const field = this.#fields.get(key);
		if (field !== undefined && (!Array.isArray(field) || field.length > listLengthMax)) {
			throw new PolicyError(
				join(this.place, key),
				`it must be a list of at most ${listLengthMax} items, in square brackets`,
			);
		}

		return field;
	}
}

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
		throw new PolicyError(place, 'it must be a string in quotes');
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
