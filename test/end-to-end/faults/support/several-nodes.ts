import {constants} from 'node:fs';
import {setTimeout as delay} from 'node:timers/promises';
import {createRandomSource, type RandomSource} from '../../../support/random-source.ts';
import type {MountedNodes} from '../../semantics/support/mounted-nodes.ts';
import type {Program} from '../../semantics/support/program.ts';
import {FileHistory, type Operation, type OperationKind, type Runs} from './close-to-open-history.ts';
import {drain, tailOf} from './drain.ts';
import {onRoundNodes, quote, startWorkers, type Answer} from './round-nodes.ts';
import {Finding, type Figures, type Scenario} from './scenario.ts';

const directories = ['a', 'b', 'c', 'a/s', 'b/s', 'c/s'];
const renameNoReplace = 1;

/** What calls may fail with while others change the same names. Everything else is a finding. */
const ordinaryErrors: Readonly<Record<string, readonly string[]>> = {
	open: ['ENOENT', 'EEXIST', 'ESTALE'],
	read: ['ESTALE'],
	write: ['ESTALE'],
	ftruncate: ['ESTALE'],
	fsync: ['ESTALE'],
	close: ['ESTALE'],
	truncate: ['ENOENT', 'ESTALE'],
	rename: ['ENOENT', 'EEXIST', 'ENOTEMPTY', 'EBUSY', 'ENOTDIR', 'EINVAL', 'EISDIR', 'ESTALE'],
	unlink: ['ENOENT'],
	mkdir: ['EEXIST', 'ENOENT'],
	rmdir: ['ENOENT', 'ENOTEMPTY'],
	chmod: ['ENOENT', 'ESTALE'],
	utime: ['ENOENT', 'ESTALE'],
};

type ListedEntry =
	| {readonly kind: 'directory'}
	| {
			readonly kind: 'file';
			readonly bytes: number;
			readonly mode: number;
			readonly atime: number;
			readonly runs?: Runs;
	  };
type Tree = Readonly<Record<string, ListedEntry>>;

/** A file of the round: where it was seen last, and what was done to it. */
type RoundFile = {readonly history: FileHistory; path: string};

/** Several workers want one new name at the same time; one may have it. */
type Race = {
	readonly name: string;
	readonly how: 'exclusive' | 'mkdir' | 'no-replace';
	winners: number[];
	losers: string[];
};

/**
Programs on several nodes that change the same files and trees at the same time. At quiet moments, and for each read,
the promises of close-to-open are checked.
*/
export const severalNodes: Scenario = {
	name: 'several-nodes',
	needs: 'ours',
	async run(request) {
		const random = createRandomSource(request.seed);
		const count = random.pick([2, 2, 3]);
		const faults = {latencyMs: random.pick([0, 2, 10, 25])};
		const options = {'metadata-ttl': random.pick(['0s', '200ms', '1s'])};
		return onRoundNodes(request, {count, options, faults}, async (nodes, {durability}) => {
			const round = new Round(nodes, random, durability === 'journal' ? 'contents' : 'ordered');
			return round.run(
				request.size === 'long' ? {phaseCount: 4, operationCount: 60} : {phaseCount: 2, operationCount: 18},
			);
		});
	},
};

class Round {
	readonly #nodes: MountedNodes;
	readonly #random: RandomSource;
	readonly #strictness: 'ordered' | 'contents';
	readonly #files: RoundFile[] = [];
	readonly #writing = new Set<string>();
	#races: Race[] = [];
	#clock = 0;
	#tokenCount = 0;
	readonly #counts = {operations: 0, overlaps: 0, reads: 0, quietChecks: 0, races: 0, acknowledgedLines: 0};
	#running = 0;

	constructor(nodes: MountedNodes, random: RandomSource, strictness: 'ordered' | 'contents') {
		this.#nodes = nodes;
		this.#random = random;
		this.#strictness = strictness;
	}

	async run({phaseCount, operationCount}: {phaseCount: number; operationCount: number}): Promise<Figures> {
		const {nodes} = this.#nodes;
		const started = await startWorkers(nodes.flatMap(node => [node, node]));
		const programs = started.map((program, index) => ({node: index >>> 1, program}));
		try {
			await programs[0]!.program.run(`for name in ['a', 'b', 'a/s', 'b/s']: os.mkdir(at(name))`); // Two nodes at least.
			for (let phase = 0; phase < phaseCount; phase++) {
				this.#addFiles(phase);
				this.#races = (['exclusive', 'mkdir', 'no-replace'] as const).map(how => ({
					name: `race.${phase}.${how}`,
					how,
					winners: [],
					losers: [],
				}));
				// A source of its own for each: what it does must not depend on which one comes first.
				const sources = programs.map(() => createRandomSource(this.#random.below(2 ** 31)));
				await Promise.all(
					programs.map(async ({node, program}, index) =>
						this.#work({node, program, worker: index, random: sources[index]!, operationCount}),
					),
				);
				await this.#checkQuiet(programs.map(({program}) => program));
			}
		} finally {
			started.forEach(program => program.kill());
		}

		return this.#counts;
	}

	#addFiles(phase: number): void {
		for (const kind of ['log', 'log', 'log', 'whole', 'whole', 'whole'] as const) {
			const name = `${kind}.${phase}.${this.#files.length}`;
			this.#files.push({
				history: new FileHistory({name, kind, strictness: this.#strictness}),
				path: `${this.#random.pick(directories.slice(0, 2))}/${name}`,
			});
		}
	}

	async #work(worker: Worker & {operationCount: number}): Promise<void> {
		const raceAt = this.#races.map(() => worker.random.below(worker.operationCount));
		for (let count = 0; count < worker.operationCount; count++) {
			for (const [index, race] of this.#races.entries()) {
				if (raceAt[index] === count) {
					await this.#race(worker, race);
				}
			}

			// Of this phase mostly; older files are there to be moved and read.
			const file = worker.random.pick(worker.random.chance(0.8) ? this.#files.slice(-6) : this.#files);
			await (worker.random.chance(0.12) ? this.#changeTree(worker) : this.#changeFile(worker, file));
		}
	}

	async #changeFile(worker: Worker, file: RoundFile): Promise<void> {
		const {random} = worker;
		const isLog = file.history.kind === 'log';
		const choice = random.below(100);
		const pauses = Array.from({length: 6}, () => (random.chance(0.3) ? random.below(40) : 0));
		const {path} = file;
		if (choice < 30) {
			await this.#perform(worker, file, {kind: 'read', call: `op_read(${quote(path)}, ${quote(pauses)})`});
		} else if (choice < (isLog ? 68 : 40)) {
			const tokens = Array.from({length: 1 + random.below(3)}, () => this.#token(worker));
			const flags = random.chance(0.75) ? constants.O_CREAT : 0;
			await this.#perform(worker, file, {
				kind: 'append',
				tokens,
				call: `op_append(${quote(path)}, ${quote(tokens)}, ${flags}, ${random.chance(0.3) ? 'True' : 'False'}, ${quote(pauses)})`,
			});
		} else if (choice < 72) {
			await this.#changeContents(worker, file, pauses);
		} else if (choice < 84) {
			const to = `${random.pick(directories)}/${file.history.name}`;
			const flags = random.chance(0.3) ? renameNoReplace : 0;
			if (to !== path) {
				await this.#perform(worker, file, {
					kind: 'move',
					to,
					call: `op_rename(${quote(path)}, ${quote(to)}, ${flags})`,
				});
			}
		} else if (choice < 88) {
			await this.#perform(worker, file, {kind: 'removal', call: `op_unlink(${quote(path)})`});
		} else if (choice < 94) {
			const mode = 0o600 + random.below(64);
			await this.#perform(worker, file, {kind: 'attributes', mode, call: `op_chmod(${quote(path)}, ${mode})`});
		} else {
			const atime = 1_000_000 + random.below(1_000_000);
			await this.#perform(worker, file, {kind: 'attributes', atime, call: `op_utime(${quote(path)}, ${atime})`});
		}
	}

	async #changeContents(worker: Worker, file: RoundFile, pauses: readonly number[]): Promise<void> {
		const {random} = worker;
		const {path, history} = file;
		if (history.kind === 'log') {
			await this.#perform(worker, file, {kind: 'removal', call: `op_truncate(${quote(path)})`});
			return;
		}

		// One program of a node at a time: what two of them make of a file together has no version of its own.
		const lock = `${worker.node} ${history.name}`;
		if (this.#writing.has(lock)) {
			return;
		}

		this.#writing.add(lock);
		const token = this.#token(worker);
		// Up to 3 MiB: several blocks, several requests of the kernel.
		const count = random.chance(0.8) ? 1 + random.below(2000) : 1 + random.below(200_000);
		const way = random.pick(['overwrite', 'overwrite', 'replace', 'patch', 'cut']);
		const call =
			way === 'overwrite'
				? `op_overwrite(${quote(path)}, ${quote(token)}, ${count}, ${constants.O_CREAT}, ${quote(pauses)})`
				: way === 'replace'
					? `op_replace(${quote(path)}, ${quote(token)}, ${count}, ${quote(pauses)})`
					: `op_patch(${quote(path)}, ${quote(token)}, ${random.below(200_000)}, ${way === 'cut' ? 'True' : 'False'}, ${quote(pauses)})`;
		await this.#perform(worker, file, {
			kind: 'version',
			call,
			...(way === 'overwrite' || way === 'replace' ? {runs: [[token, count]] as Runs} : {}),
		});
		this.#writing.delete(lock);
	}

	/** Moves, makes and removes directories: every file may be in them. */
	async #changeTree(worker: Worker): Promise<void> {
		const {random, program} = worker;
		const name = random.pick(directories);
		const choice = random.below(10);
		if (choice < 4) {
			const to = random.pick(directories);
			const begin = this.#clock++;
			const operations = this.#files.map(({history}) => {
				const operation: Operation = {
					kind: 'move',
					text: `rename of the directory ${name} to ${to}`,
					node: worker.node,
					begin,
					end: 0,
					isOver: false,
				};
				history.add(operation);
				return operation;
			});
			const answer = await this.#call(program, `op_rename(${quote(name)}, ${quote(to)}, 0)`, worker);
			const end = this.#clock++;
			for (const operation of operations) {
				Object.assign(operation, {end, isOver: true, errno: answer.errno});
			}

			if (answer.errno === undefined) {
				for (const file of this.#files.filter(({path}) => path.startsWith(`${name}/`))) {
					file.path = to + file.path.slice(name.length);
				}
			}
		} else {
			await this.#call(program, `${choice < 8 ? 'op_mkdir' : 'op_rmdir'}(${quote(name)})`, worker);
		}
	}

	async #race({program, worker, node}: Worker, race: Race): Promise<void> {
		const token = `race.${worker}`;
		let answer: Answer;
		if (race.how === 'no-replace') {
			await this.#call(program, `op_exclusive(${quote(`${race.name}.from.${worker}`)}, ${quote(token)})`, {node});
			answer = await this.#call(
				program,
				`op_rename(${quote(`${race.name}.from.${worker}`)}, ${quote(race.name)}, ${renameNoReplace})`,
				{node},
			);
		} else {
			answer = await this.#call(
				program,
				race.how === 'mkdir' ? `op_mkdir(${quote(race.name)})` : `op_exclusive(${quote(race.name)}, ${quote(token)})`,
				{node},
			);
		}

		if (answer.errno === undefined) {
			race.winners.push(worker);
		} else {
			race.losers.push(answer.errno);
		}
	}

	async #perform(
		worker: Worker,
		file: RoundFile,
		{kind, call, to, ...more}: {kind: OperationKind; call: string; to?: string} & Partial<Operation>,
	): Promise<void> {
		const operation: Operation = {
			kind,
			text: call,
			node: worker.node,
			begin: this.#clock++,
			end: 0,
			isOver: false,
			...more,
		};
		file.history.add(operation);
		const answer = await this.#call(worker.program, call, worker);
		Object.assign(operation, {
			end: this.#clock++,
			isOver: true,
			errno: answer.errno,
			...(answer.runs === undefined ? {} : {runs: answer.runs}),
			...(kind === 'append'
				? {tokens: operation.tokens?.slice(0, answer.written), acknowledged: answer.acknowledged}
				: {}),
		});
		if (kind === 'version' && answer.step === 'open') {
			operation.runs = []; // Nothing was changed: it failed before.
		}

		if (kind === 'move' && answer.errno === undefined && to !== undefined) {
			file.path = to;
		}

		if (kind === 'read') {
			this.#counts.reads++;
			file.history.checkRead(operation);
		}

		this.#counts.acknowledgedLines += answer.acknowledged ?? 0;
	}

	/** Runs a line of the program; an error that is not of this operation's own is a finding. */
	async #call(program: Program, call: string, {node}: {node: number}): Promise<Answer> {
		this.#counts.operations++;
		this.#counts.overlaps += this.#running > 0 ? 1 : 0;
		this.#running++;
		try {
			const answer = (await program.run(call)) as Answer;
			if (answer.errno !== undefined && !(ordinaryErrors[answer.step ?? '']?.includes(answer.errno) ?? false)) {
				throw new Finding(
					`${call} failed with ${answer.errno} at its ${answer.step}\n${tailOf(this.#nodes.nodes[node]!)}`,
				);
			}

			return answer;
		} finally {
			this.#running--;
		}
	}

	/** Nothing goes on: all nodes show what is in the bucket, and nothing that was acknowledged is missing. */
	async #checkQuiet(programs: readonly Program[]): Promise<void> {
		await Promise.all(this.#nodes.nodes.map(async node => drain(node)));
		for (const {history} of this.#files) {
			history.becomeQuiet(this.#clock);
		}

		await delay(1100); // The longest `metadata-ttl` of a round, which attributes and listings may be old.
		this.#counts.quietChecks++;
		const [first, ...others] = await this.#listAll(programs);
		for (const [index, tree] of others.entries()) {
			if (quote(tree) !== quote(first)) {
				throw new Finding(
					`two nodes show different trees when nothing goes on: ${describeDifference(first!, tree)} (node 0 and node ${index + 1})`,
				);
			}
		}

		await this.#checkBucket(first!);
		for (const file of this.#files) {
			const copies = Object.entries(first!).flatMap(([path, entry]) =>
				entry.kind === 'file' && path.endsWith(`/${file.history.name}`) ? [{path, entry}] : [],
			);
			file.history.checkQuiet(copies.map(({entry}) => entry.runs ?? []));
			if (copies.length === 1) {
				file.history.checkAttributes(copies[0]!.entry);
			}

			file.path = copies[0]?.path ?? file.path;
		}

		this.#checkRaces(first!);
	}

	async #listAll(programs: readonly Program[]): Promise<Tree[]> {
		// Two programs a node: one of them is enough.
		const listers = programs.filter((_, index) => index % 2 === 0);
		return Promise.all(
			listers.map(async (program, node) => {
				const tree = (await program.run('list_tree()')) as Tree;
				const entries: Array<[string, ListedEntry]> = [];
				for (const [path, entry] of Object.entries(tree).toSorted(([x], [y]) => (x < y ? -1 : 1))) {
					const {runs} = entry.kind === 'file' ? await this.#call(program, `op_read(${quote(path)}, [])`, {node}) : {};
					entries.push([path, runs === undefined ? entry : ({...entry, runs} as ListedEntry)]);
				}

				return Object.fromEntries(entries);
			}),
		);
	}

	/** The files are the objects of the bucket, byte for byte in number. */
	async #checkBucket(tree: Tree): Promise<void> {
		const sizes = new Map<string, number>();
		let continuationToken: string | undefined;
		do {
			const page = await this.#nodes.bucket.list({prefix: '', continuationToken});
			page.objects.filter(({key}) => !key.endsWith('/')).forEach(({key, sizeBytes}) => sizes.set(key, sizeBytes));
			({continuationToken} = page);
		} while (continuationToken !== undefined);

		const shown = Object.entries(tree).flatMap(([path, entry]) => (entry.kind === 'file' ? [[path, entry.bytes]] : []));
		const stored = [...sizes].toSorted(([x], [y]) => (x < y ? -1 : 1));
		if (quote(shown) !== quote(stored)) {
			throw new Finding(`the nodes show ${quote(shown)}, and the bucket has ${quote(stored)}`);
		}
	}

	#checkRaces(tree: Tree): void {
		for (const {name, how, winners, losers} of this.#races) {
			this.#counts.races++;
			if (winners.length !== 1 || losers.some(errno => errno !== 'EEXIST')) {
				throw new Finding(
					`${winners.length} workers (${winners.join(', ')}) have made ${name} (${how}); the others got ${losers.join(', ')}`,
				);
			}

			const entry = tree[name];
			const expected = quote([[`race.${winners[0]}`, 1]]);
			if (entry === undefined || (entry.kind === 'file' && quote(entry.runs) !== expected)) {
				throw new Finding(`${name} is ${quote(entry)}, and worker ${winners[0]} has made it`);
			}
		}
	}

	#token({worker}: {worker: number}): string {
		return `w${worker}.${this.#tokenCount++}`;
	}
}

type Worker = {
	readonly node: number;
	readonly program: Program;
	readonly worker: number;
	readonly random: RandomSource;
};

const describeDifference = (one: Tree, other: Tree): string =>
	[...new Set([...Object.keys(one), ...Object.keys(other)])]
		.filter(path => quote(one[path]) !== quote(other[path]))
		.map(path => `${path}: ${quote(one[path])} and ${quote(other[path])}`)
		.slice(0, 5)
		.join('; ');
