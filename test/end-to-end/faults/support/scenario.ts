import type {RunningServer} from '../../semantics/support/mounted-nodes.ts';

/** What a round counted: added up over rounds. */
export type Figures = Readonly<Record<string, number>>;

export const durabilities = ['close', 'journal'] as const;
export type Durability = (typeof durabilities)[number];

export type RoundRequest = {
	/** All random choices of the round come from it. */
	readonly seed: number;
	/** `short`: for `npm test`, a few seconds alone. `long`: for `npm run test:faults`. */
	readonly size: 'short' | 'long';
	/** In place of what the seed says. */
	readonly durability?: Durability | undefined;
	readonly isVersioned?: boolean | undefined;
	/** Drops the page cache of the whole machine at times. */
	readonly mayDropCaches?: boolean | undefined;
	/** A server that runs already, for a scenario that does without the controls of ours. */
	readonly s3?: RunningServer | undefined;
};

/** One kind of trouble. A round sets everything up, makes the trouble, checks, and leaves nothing. */
export type Scenario = {
	readonly name: string;
	/** `any` S3 server, one that fails on command (`faults`), or ours. */
	readonly needs: 'any' | 'faults' | 'ours';
	/** Throws a `Finding` when something is not as promised. */
	readonly run: (request: RoundRequest) => Promise<Figures>;
};

/** A promise that was not kept. The message says what was expected, what was found, and the operations before it. */
export class Finding extends Error {
	override name = 'Finding';

	constructor(what: string, {operations = []}: {operations?: readonly string[]} = {}) {
		super(operations.length === 0 ? what : `${what}\nThe last operations:\n\t${operations.join('\n\t')}`);
	}
}

/** Runs one round. A failure says how to repeat it. */
export const runRound = async (scenario: Scenario, request: RoundRequest): Promise<Figures> => {
	try {
		return await scenario.run(request);
	} catch (error) {
		throw new Error(
			`${scenario.name}, seed ${request.seed}: ${error instanceof Error ? error.message : String(error)}\nTo repeat it: npm run test:faults -- --only ${scenario.name} --seed ${request.seed} --rounds 1${toFlags(request)}`,
			{cause: error},
		);
	}
};

const toFlags = ({size, durability, isVersioned, mayDropCaches, s3}: RoundRequest): string =>
	[
		size === 'short' ? ' --short' : '',
		durability === undefined ? '' : ` --durability ${durability}`,
		isVersioned === undefined ? '' : isVersioned ? ' --versioned' : ' --no-versioned',
		mayDropCaches === true ? ' --drop-caches' : '',
		s3 === undefined ? '' : ' --rgw',
	].join('');

export const addFigures = (one: Figures, other: Figures): Figures => {
	const sum: Record<string, number> = {...one};
	for (const [name, value] of Object.entries(other)) {
		// What is a maximum stays one.
		sum[name] = name.endsWith('Max') ? Math.max(sum[name] ?? 0, value) : (sum[name] ?? 0) + value;
	}

	return sum;
};
