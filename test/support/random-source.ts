/** Numbers that look random and are the same for the same seed (mulberry32), so that a failure can be run again. */
export type RandomSource = {
	/** 0 to `count` - 1. */
	readonly below: (count: number) => number;
	readonly pick: <Item>(items: readonly Item[]) => Item;
	readonly chance: (probability: number) => boolean;
};

export const createRandomSource = (seed: number): RandomSource => {
	let state = seed >>> 0;
	const next = (): number => {
		state = (state + 0x6d_2b_79_f5) >>> 0;
		let mixed = state;
		mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};

	const below = (count: number): number => Math.floor(next() * count);
	return {
		below,
		pick: items => items[below(items.length)]!, // The index is below the length.
		chance: probability => next() < probability,
	};
};

/**
The seed of a test run: the same in every run of `npm test`, so that no run fails by chance what another one passed.
`npm run test:faults` gives new ones.
*/
export const testSeed = (): number => Number(process.env['PNX_VOLUME_TEST_SEED'] ?? 1);
