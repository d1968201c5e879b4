/**
The path of the first key that an object of this JSON text has twice; `undefined` when there is none. `JSON.parse`
takes the last one without a word, another reader the first: what two programs read differently must not decide
anything. The text must be valid JSON.
*/
export const findDuplicateKey = (json: string): string | undefined => {
	const levels: Level[] = [];
	for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g)) {
		const level = levels.at(-1);
		switch (token) {
			case '{': {
				levels.push({keys: new Set(), isKeyNext: true, place: ''});
				break;
			}

			case '[': {
				levels.push({keys: undefined, isKeyNext: false, place: '0'});
				break;
			}

			case '}':
			case ']': {
				levels.pop();
				break;
			}

			case ',': {
				if (level?.keys === undefined) {
					advance(level);
				} else {
					level.isKeyNext = true;
				}

				break;
			}

			case ':': {
				break;
			}

			default: {
				if (level?.keys !== undefined && level.isKeyNext) {
					const key = String(JSON.parse(token));
					level.place = key;
					level.isKeyNext = false;
					if (level.keys.has(key)) {
						return levels.map(({place}) => place).join('.');
					}

					level.keys.add(key);
				}
			}
		}
	}

	return undefined;
};

type Level = {
	/** Of an object; an array has none. */
	readonly keys: Set<string> | undefined;
	isKeyNext: boolean;
	/** The key or the index that we are at. */
	place: string;
};

const advance = (level: Level | undefined): void => {
	if (level !== undefined) {
		level.place = String(Number(level.place) + 1);
	}
};
