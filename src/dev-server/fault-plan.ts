import type {ErrorFault, FaultMatch, FaultMoment, FaultSettings} from './fault-settings.ts';

/** What will go wrong with one request. */
export type FaultPlan = {
	readonly latencyMs: number;
	readonly error?: ErrorFault | undefined;
	readonly drop?: FaultMoment | undefined;
	readonly stall?: FaultMoment | undefined;
	/** Waits for as long as the settings have this one. */
	readonly hold?: FaultMatch | undefined;
	readonly ignoresConditions: boolean;
	readonly isCorrupted: boolean;
};

const noFault: FaultPlan = {latencyMs: 0, ignoresConditions: false, isCorrupted: false};

/** Decides, when a request comes in, what will go wrong with it; counts down the faults that strike. */
export const planFaults = (
	settings: FaultSettings,
	request: {operation: string; key: string},
	random: () => number,
): FaultPlan => {
	const {latencyMs, latencyMsByOperation, errors, drops, stalls, holds, notImplemented, corruptions} = settings;
	const ignoresConditions = settings.ignoredConditions.includes(request.operation);
	const ownLatencyMs = latencyMsByOperation[request.operation];
	if (
		latencyMs === 0 &&
		ownLatencyMs === undefined &&
		!ignoresConditions &&
		errors.length + drops.length + stalls.length + holds.length + notImplemented.length + corruptions.length === 0
	) {
		return noFault;
	}

	const strike = <Fault extends FaultMatch>(faults: readonly Fault[]): Fault | undefined =>
		faults.find(fault => doesStrike(fault, request, random));
	const unknown: ErrorFault | undefined = notImplemented.includes(request.operation)
		? {
				status: 501,
				code: 'NotImplemented',
				message: 'A header you provided implies functionality that is not implemented',
			}
		: undefined;
	return {
		latencyMs: latencyMs + (ownLatencyMs ?? 0),
		error: unknown ?? strike(errors),
		drop: strike(drops)?.when,
		stall: strike(stalls)?.when,
		hold: strike(holds),
		ignoresConditions,
		isCorrupted: strike(corruptions) !== undefined,
	};
};

const doesStrike = (
	fault: FaultMatch,
	{operation, key}: {operation: string; key: string},
	random: () => number,
): boolean => {
	if (
		(fault.operation !== undefined && fault.operation !== operation) ||
		fault.count === 0 ||
		!doesKeyMatch(fault.key, key)
	) {
		return false;
	}

	if (fault.rate !== undefined && random() >= fault.rate) {
		return false;
	}

	if (fault.count !== undefined) {
		fault.count--;
	}

	return true;
};

/** Whether a key is meant: by its beginning, or by an expression. */
export const doesKeyMatch = (pattern: string | RegExp | undefined, key: string): boolean => {
	if (pattern === undefined) {
		return true;
	}

	const expression = typeof pattern === 'string' ? /^\/(.+)\/([a-z]*)$/s.exec(pattern) : undefined;
	const regExp = expression ? new RegExp(expression[1]!, expression[2]) : pattern;
	return typeof regExp === 'string' ? key.startsWith(regExp) : key.search(regExp) !== -1;
};

/** Numbers that look random and repeat: a test with a rate fails the same way each time (mulberry32). */
export const createRandom = (seed = 1): (() => number) => {
	let state = seed;
	return () => {
		state = (state + 0x6d_2b_79_f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
};
