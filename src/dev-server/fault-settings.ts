/** Which requests a fault strikes. Everything that is given must hold. */
export type FaultMatch = {
	/** S3's name, such as `PutObject`; without it every operation. */
	operation?: string | undefined;
	/** The beginning of a key, or an expression: a RegExp, or its text between slashes (`/\.tmp$/`). */
	key?: string | RegExp | undefined;
	/** 0 to 1: how often; 1 without it. Draws repeat from server to server. */
	rate?: number | undefined;
	/** How many more times it strikes; counted down to 0. Without it: always. */
	count?: number | undefined;
};

/**
`before`: nothing was done. `after`: done and stored, but not answered. `body`: in the middle of the request's or
the answer's body.
*/
export type FaultMoment = 'before' | 'after' | 'body';

export type ErrorFault = FaultMatch & {
	status: number;
	code: string;
	message?: string | undefined /** More headers, such as Retry-After. */;
	headers?: Record<string, string> | undefined;
};
export type TimedFault = FaultMatch & {when: FaultMoment};

/** What goes wrong, by command. Change it at any time; what is not set does nothing. */
export type FaultSettings = {
	/** Added to every request. */
	latencyMs: number;
	latencyMsByOperation: Record<string, number>;
	/** Answers with an error, and does nothing. The first that strikes counts. */
	errors: ErrorFault[];
	/** Ends the connection without (the rest of) an answer. */
	drops: TimedFault[];
	/** Goes silent with the connection open. */
	stalls: TimedFault[];
	/** Waits before anything is done, until the fault is taken away. */
	holds: FaultMatch[];
	/** Operations that are answered with 501. */
	notImplemented: string[];
	/** Operations whose If-Match and If-None-Match, or etags of a batch, are ignored, as other servers do. */
	ignoredConditions: string[];
	/** Flips bits of one byte in the middle of the answer's body. */
	corruptions: FaultMatch[];
	/** Ends every connection, present and new ones; the `/_dev/` controls still answer. */
	down: boolean;
	/** Buckets of somebody else: they exist, and everything on them is denied. */
	foreignBuckets: string[];
};

const noFaults = (): FaultSettings => ({
	latencyMs: 0,
	latencyMsByOperation: {},
	errors: [],
	drops: [],
	stalls: [],
	holds: [],
	notImplemented: [],
	ignoredConditions: [],
	corruptions: [],
	down: false,
	foreignBuckets: [],
});

/** Switches that are all off; `onDown` runs when `down` is set to true. */
export const createFaultSettings = (onDown: () => void): FaultSettings => {
	let isDown = false;
	return Object.defineProperty(noFaults(), 'down', {
		enumerable: true,
		get: () => isDown,
		set(value: boolean) {
			isDown = value;
			if (value) {
				onDown();
			}
		},
	});
};

/**
Sets all switches from JSON: those that it does not name are turned off. Throws a `TypeError` that names what is
wrong.
*/
export const replaceFaultSettings = (settings: FaultSettings, json: unknown): void => {
	if (typeof json !== 'object' || json === null || Array.isArray(json)) {
		throw new TypeError('Cannot set the faults as they must be one JSON object');
	}

	const defaults = noFaults();
	for (const [name, value] of Object.entries(json)) {
		const model: unknown = defaults[name as keyof FaultSettings];
		if (model === undefined) {
			throw new TypeError(
				`Cannot set the fault "${name}" as there is none of that name: known are ${Object.keys(defaults).join(', ')}`,
			);
		}

		if (typeof value !== typeof model || value === null || Array.isArray(value) !== Array.isArray(model)) {
			throw new TypeError(
				`Cannot set the fault "${name}" as its value must be like ${JSON.stringify(model)}: current value is ${JSON.stringify(value)}`,
			);
		}
	}

	Object.assign(settings, defaults, json);
};
