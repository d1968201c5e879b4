import {Finding} from './scenario.ts';

/** Lines of a file: the same ones after each other are counted. */
export type Runs = ReadonlyArray<readonly [token: string, count: number]>;

export type OperationKind =
	/** Adds lines at the end. */
	| 'append'
	/** Makes a version of its own: `runs`. */
	| 'version'
	/** What was there before is gone: unlink, truncation to nothing. */
	| 'removal'
	/** Changes the path, of the file or of a directory above it. */
	| 'move'
	/** Changes attributes only. */
	| 'attributes'
	| 'read';

/** One operation on a file. `begin` and `end` are of one counter: what ended before another began came first. */
export type Operation = {
	readonly kind: OperationKind;
	readonly text: string;
	readonly node: number;
	readonly begin: number;
	end: number;
	/** The errno; `undefined` while it runs, and when it succeeded. */
	errno?: string | undefined;
	isOver: boolean;
	/** Of an append: those that may be in the file; the first `acknowledged` of them were told to be safe. */
	tokens?: readonly string[];
	acknowledged?: number;
	/** Of a version or a read that succeeded. */
	runs?: Runs | undefined;
	/** What `attributes` set. */
	mode?: number;
	atime?: number;
};

/** A file of a round: no other file has its name, wherever it is moved. */
export type Kind = 'log' | 'whole';

/** What is promised of order: with durability `journal`, others see a change only when it is uploaded. */
export type Strictness = 'ordered' | 'contents';

/**
What was done to one file by all nodes, and the promises of docs/SEMANTICS.md about it. Where operations overlap, only
what holds in every order is checked.
*/
export class FileHistory {
	readonly name: string;
	readonly kind: Kind;
	readonly #strictness: Strictness;
	readonly #operations: Operation[] = [];
	/** Operations before this number are done, whatever the durability. */
	#quietSince = 0;

	constructor(options: {name: string; kind: Kind; strictness: Strictness}) {
		this.name = options.name;
		this.kind = options.kind;
		this.#strictness = options.strictness;
	}

	add(operation: Operation): void {
		this.#operations.push(operation);
	}

	/** Everything that was acknowledged is in S3, and no operation runs. */
	becomeQuiet(now: number): void {
		this.#quietSince = now;
	}

	/** A read that a program did while others went on. */
	checkRead(read: Operation): void {
		if (read.runs === undefined) {
			return;
		}

		if (this.#isDisturbedOnNode(read)) {
			return; // Programs of one node see each other's writes half-done, as on a local disk.
		}

		if (this.kind === 'log') {
			this.#checkLines(read.runs, read);
			if (read.errno === undefined && this.#strictness === 'ordered') {
				this.#checkNothingMissing(read);
			}
		} else {
			this.#checkVersion(read.runs, read);
		}
	}

	/** All copies that there are when nothing goes on: one, none, or two when a rename met a change. */
	checkQuiet(copies: readonly Runs[]): void {
		if (this.kind === 'log') {
			copies.forEach(copy => this.#checkLines(copy, undefined));
			this.#checkTokens(copies);
		} else {
			copies.forEach(copy => this.#checkVersion(copy, undefined));
			this.#checkWhole(copies);
		}
	}

	/** Attributes of the only copy when nothing goes on. */
	checkAttributes(found: {mode: number; atime: number}): void {
		for (const name of ['mode', 'atime'] as const) {
			const change = this.#operations.findLast(
				operation => operation[name] !== undefined && operation.errno === undefined,
			);
			// A rename during a change, and a new file, may lose it; writes may not.
			const isLast = this.#operations.every(
				other =>
					other === change ||
					other.kind === 'read' ||
					((other.kind === 'append' || other.kind === 'version') && !other.text.includes('replace')) ||
					(change !== undefined && this.#endOf(other) < change.begin),
			);
			if (change !== undefined && isLast && found[name] !== change[name]) {
				throw this.#finding(`has the ${name} ${found[name]}, and ${change[name]} was set by "${change.text}"`);
			}
		}
	}

	/** Each line is one of this file, once, and what one program appended after another is behind it. */
	#checkLines(runs: Runs, read: Operation | undefined): void {
		const appends = new Map<string, Operation>();
		for (const operation of this.#operations) {
			operation.tokens?.forEach(token => appends.set(token, operation));
		}

		const seen = new Set<string>();
		let latest: Operation | undefined;
		for (const [token, count] of runs) {
			const append = appends.get(token);
			if (append === undefined) {
				throw this.#finding(`has the line "${token}", which nobody wrote to it`, read);
			}

			if (count > 1 || seen.has(token)) {
				throw this.#finding(`has the line "${token}" twice`, read);
			}

			// Uploads that come later have an order of their own.
			if (this.#strictness === 'ordered' && latest !== undefined && this.#endOf(append) < latest.begin) {
				throw this.#finding(`has "${token}" behind what was appended after it ("${latest.text}")`, read);
			}

			seen.add(token);
			latest = latest === undefined || append.begin > latest.begin ? append : latest;
		}
	}

	/** What was acknowledged before the file was opened is in it. */
	#checkNothingMissing(read: Operation): void {
		const tokens = new Set(read.runs?.map(([token]) => token));
		for (const append of this.#acknowledged()) {
			const missing = append.tokens.slice(0, append.acknowledged).find(token => !tokens.has(token));
			const mayBeElsewhere = this.#operations.some(
				other => isChangeOfPlace(other) && this.#endOf(other) >= append.begin && other.begin <= read.end,
			);
			if (missing !== undefined && append.isOver && append.end < read.begin && !mayBeElsewhere) {
				throw this.#finding(`lacks "${missing}", which was acknowledged before it was opened`, read);
			}
		}
	}

	/** Every acknowledged line that nobody removed is there, and no line that was removed. */
	#checkTokens(copies: readonly Runs[]): void {
		const counts = new Map<string, number>();
		for (const [token] of copies.flat()) {
			counts.set(token, (counts.get(token) ?? 0) + 1);
		}

		for (const append of this.#operations.filter(({kind}) => kind === 'append')) {
			const later = this.#operations.filter(other => isChangeOfPlace(other) && this.#endOf(other) >= append.begin);
			for (const [index, token] of (append.tokens ?? []).entries()) {
				const count = counts.get(token) ?? 0;
				const isAcknowledged = index < (append.acknowledged ?? 0);
				const isRemoved = later.some(other => other.kind === 'removal' || this.#mayReplace(other));
				if (isAcknowledged && count === 0 && !isRemoved) {
					throw this.#finding(`lacks "${token}", which was acknowledged ("${append.text}"), and nobody removed it`);
				}

				if (count > 1 && !later.some(({kind}) => kind === 'move')) {
					throw this.#finding(`has "${token}" in ${count} places, and was not renamed meanwhile`);
				}
			}

			this.#checkRemoved(append, counts);
		}
	}

	/** A rename that met a change, or failed, may have left the file under both names: the next one replaces one. */
	#mayReplace(move: Operation): boolean {
		return (
			move.kind === 'move' &&
			this.#operations.some(
				other =>
					other.kind === 'move' &&
					other.begin < move.begin &&
					(other.errno !== undefined ||
						this.#operations.some(({kind, ...change}) => isWrite(kind) && this.#overlap(other, {kind, ...change}))),
			)
		);
	}

	#checkRemoved(append: Operation, counts: ReadonlyMap<string, number>): void {
		const removal = this.#operations.find(
			({kind, errno, isOver, begin}) =>
				kind === 'removal' && isOver && errno === undefined && this.#endOf(append) < begin,
		);
		const back = append.tokens?.find(token => (counts.get(token) ?? 0) > 0);
		if (removal === undefined || back === undefined) {
			return;
		}

		// A rename that meets the removal has a copy of its own, and a move before it may have failed half-way.
		const isDoubtful = this.#operations.some(
			other => other.kind === 'move' && (other.errno !== undefined || this.#overlap(other, removal)),
		);
		if (!isDoubtful) {
			throw this.#finding(`has "${back}" again, which "${removal.text}" removed`);
		}
	}

	/** The lines are those of one version, and of appends behind it. */
	#checkVersion(runs: Runs, read: Operation | undefined): void {
		if (runs.length === 0) {
			return;
		}

		const appended = new Set(this.#operations.flatMap(({tokens}) => tokens ?? []));
		const isWhole = read?.errno === undefined;
		const versions = this.#operations.filter(({kind}) => kind === 'version');
		const version = versions.findLast(
			({runs: known}) => known !== undefined && isVersion(runs, known, {appended, isWhole}),
		);
		const isOfAppendsOnly = runs.every(([token, count]) => count === 1 && appended.has(token));
		// What a program was about to write when it failed, or has not told yet.
		const isUntold = versions.some(({runs: known}) => known === undefined);
		if (version === undefined && !isOfAppendsOnly && !isUntold) {
			throw this.#finding(`has a mixture of versions: ${JSON.stringify(runs)}`, read);
		}

		if (version === undefined || read === undefined || this.#strictness !== 'ordered') {
			return;
		}

		const newer = versions.find(
			other =>
				other.isOver &&
				other.errno === undefined &&
				version.isOver &&
				version.end < other.begin &&
				other.end < read.begin,
		);
		const hasMoved = this.#operations.some(
			({kind, end, isOver}) => kind === 'move' && (!isOver || end >= version.begin),
		);
		if (newer !== undefined && version.errno === undefined && !hasMoved) {
			throw this.#finding(
				`has the version of "${version.text}", and "${newer.text}" was closed before it was opened`,
				read,
			);
		}
	}

	/** The last version is the one that is there. */
	#checkWhole(copies: readonly Runs[]): void {
		const writers = this.#operations.filter(({kind}) => kind === 'version');
		const last = writers.findLast(({errno}) => errno === undefined);
		const isAlone =
			last !== undefined &&
			this.#operations.every(
				other =>
					other === last ||
					other.kind === 'read' ||
					other.kind === 'attributes' ||
					this.#endOf(other) < last.begin ||
					(other.kind === 'append' && other.begin > last.end),
			);
		if (last?.runs === undefined || !isAlone) {
			return;
		}

		const known = last.runs;
		const appended = new Set(this.#operations.flatMap(({tokens}) => tokens ?? []));
		if (!copies.some(copy => isVersion(copy, known, {appended, isWhole: true}))) {
			throw this.#finding(`is not what "${last.text}" has written last: ${JSON.stringify(copies)}`);
		}

		const lines = new Set(copies.flat().map(([token]) => token));
		for (const {tokens, acknowledged, text, begin} of this.#acknowledged()) {
			const missing = tokens.slice(0, acknowledged).find(token => !lines.has(token));
			if (missing !== undefined && begin > last.end) {
				throw this.#finding(`lacks "${missing}", which was acknowledged ("${text}"), and nobody removed it`);
			}
		}
	}

	#acknowledged(): Array<Operation & {tokens: readonly string[]; acknowledged: number}> {
		return this.#operations.flatMap(operation =>
			operation.tokens !== undefined && operation.acknowledged !== undefined
				? [{...operation, tokens: operation.tokens, acknowledged: operation.acknowledged}]
				: [],
		);
	}

	/** When its effect is certain to be in S3: at its end, or, when uploads come later, at the next quiet moment. */
	#endOf({end, isOver, begin, errno}: Operation): number {
		if (!isOver || (this.#strictness === 'contents' && begin >= this.#quietSince)) {
			return Number.POSITIVE_INFINITY;
		}

		// What failed is tried again in the background.
		return errno === undefined || begin < this.#quietSince ? end : Number.POSITIVE_INFINITY;
	}

	#overlap(one: Operation, other: Operation): boolean {
		return one.begin <= this.#endOf(other) && other.begin <= this.#endOf(one);
	}

	#isDisturbedOnNode(read: Operation): boolean {
		return this.#operations.some(
			other => other !== read && other.node === read.node && isWrite(other.kind) && this.#overlap(other, read),
		);
	}

	#finding(what: string, read?: Operation): Finding {
		const describe = ({begin, end, isOver, node, text, errno, kind, runs}: Operation): string =>
			`${begin}-${isOver ? end : ''} node ${node}: ${text}${errno === undefined ? '' : ` -> ${errno}`}${kind === 'read' && runs !== undefined ? ` = ${JSON.stringify(runs)}` : ''}`;
		return new Finding(
			`${this.name} ${what}${read === undefined ? ', when nothing went on' : `, as "${describe(read)}" found`}`,
			{
				operations: this.#operations.slice(-40).map(describe),
			},
		);
	}
}

const isWrite = (kind: OperationKind): boolean => kind === 'append' || kind === 'version' || kind === 'removal';

const isChangeOfPlace = ({kind}: Operation): boolean => kind === 'removal' || kind === 'move';

/** Whether these are the known lines, with none but appended ones behind them; what failed may have read less. */
const isVersion = (
	runs: Runs,
	known: Runs,
	{appended, isWhole}: {appended: ReadonlySet<string>; isWhole: boolean},
): boolean => {
	const seen = new Set<string>();
	for (const [index, [token, count]] of runs.entries()) {
		const expected = known[index];
		const isLast = index === runs.length - 1;
		if (expected === undefined ? count > 1 || !appended.has(token) || seen.has(token) : expected[0] !== token) {
			return false;
		}

		if (expected !== undefined && count !== expected[1] && (isWhole || !isLast || count > expected[1])) {
			return false;
		}

		seen.add(token);
	}

	return runs.length >= known.length || !isWhole;
};
