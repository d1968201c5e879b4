import {constants} from 'node:fs';
import {setTimeout as delay} from 'node:timers/promises';
import type {FaultSettings} from '../../../../src/dev-server/dev-server.ts';
import {createRandomSource, type RandomSource} from '../../../support/random-source.ts';
import type {MountedNode, MountedNodes} from '../../semantics/support/mounted-nodes.ts';
import type {Program} from '../../semantics/support/program.ts';
import {FileHistory, type Operation, type Runs} from './close-to-open-history.ts';
import {drain, tailOf} from './drain.ts';
import {onRoundNodes, ownFileOf, quote, startWorkers, type Answer, type OwnFile} from './round-nodes.ts';
import {Finding, type Figures, type Scenario} from './scenario.ts';

const lost = ['PutObject', 'CopyObject', 'CompleteMultipartUpload', 'DeleteObject', 'DeleteObjects'];

/** What goes wrong with S3, one after the other. */
const troubles: Readonly<Record<string, Partial<FaultSettings>>> = {
	'errors 503 and 500': {
		errors: [
			{status: 503, code: 'SlowDown', rate: 0.1},
			{status: 500, code: 'InternalError', rate: 0.05},
		],
	},
	'connections that break': {
		drops: [
			{when: 'before', rate: 0.05},
			{when: 'after', rate: 0.05},
			{when: 'body', rate: 0.05},
		],
	},
	'answers that are lost': {drops: lost.map(operation => ({operation, when: 'after', rate: 0.3}))},
	'requests without an answer': {
		stalls: [
			{when: 'before', rate: 0.02},
			{when: 'after', rate: 0.02},
			{when: 'body', rate: 0.02},
		],
	},
	'bodies that are wrong or too short': {
		corruptions: [{operation: 'GetObject', rate: 0.15}],
		drops: [{operation: 'GetObject', when: 'body', rate: 0.15}],
	},
	'errors with status 200': {
		errors: ['CopyObject', 'CompleteMultipartUpload'].map(operation => ({
			operation,
			status: 200,
			code: 'InternalError',
			rate: 0.3,
		})),
	},
	'listings that fail': {errors: [{operation: 'ListObjectsV2', status: 500, code: 'InternalError', rate: 0.4}]},
	'clocks that differ': {errors: [{status: 403, code: 'RequestTimeTooSkewed', rate: 0.1}]},
	'credentials that expire': {errors: [{status: 400, code: 'ExpiredToken', rate: 0.1}]},
};
const away = 'no S3';

/** What a call may fail with while S3 is in trouble: nothing that says something wrong about a name. */
const troubleErrors = ['EIO', 'EAGAIN', 'EACCES', 'ESTALE'];

/**
Programs on two nodes while S3 fails in many ways, each for a while. No call gives a wrong byte or says something wrong
about a name, each ends in its time, and what was acknowledged is there in the end.
*/
export const failingS3: Scenario = {
	name: 'failing-s3',
	needs: 'faults',
	async run(request) {
		const random = createRandomSource(request.seed);
		const isLong = request.size === 'long';
		const timeoutMs = isLong ? 20_000 : 15_000;
		const options = {timeout: `${timeoutMs}ms`, 'part-size': '5MiB', 'cache-size': random.pick(['0', '1GiB'])};
		// Ceph 16 refuses If-Match in versioned buckets: there two nodes that append at the same moment may lose a line.
		const asked = request.s3 === undefined ? request : {...request, isVersioned: request.isVersioned ?? false};
		return onRoundNodes(asked, {options}, async nodes => {
			const round = new Round(nodes, random, {
				// The kernel may try a call again, and a loaded machine needs its time.
				callMsMax: 2 * timeoutMs + 20_000,
				rootMsMax: isLong ? 15_000 : 10_000,
				awayMs: isLong ? 60_000 : 12_000,
				operationCount: isLong ? 25 : 8,
				troubleCount: isLong ? Object.keys(troubles).length : 3,
			});
			return round.run();
		});
	},
};

type Bounds = {
	readonly callMsMax: number;
	readonly rootMsMax: number;
	readonly awayMs: number;
	readonly operationCount: number;
	readonly troubleCount: number;
};

type Worker = {
	readonly node: MountedNode;
	readonly nodeIndex: number;
	readonly program: Program;
	readonly worker: number;
	readonly random: RandomSource;
	readonly files: Map<string, OwnFile>;
};

class Round {
	readonly #nodes: MountedNodes;
	readonly #random: RandomSource;
	readonly #bounds: Bounds;
	readonly #log = new FileHistory({name: 'shared.log', kind: 'log', strictness: 'contents'});
	readonly #figures: Record<string, number> = {
		calls: 0,
		failedCalls: 0,
		acknowledgedWrites: 0,
		acknowledgedLines: 0,
		looksAtRoot: 0,
		callMsMax: 0,
		rootMsMax: 0,
	};
	#trouble = 'no trouble';
	#clock = 0;
	#tokenCount = 0;
	#isOver = false;

	constructor(nodes: MountedNodes, random: RandomSource, bounds: Bounds) {
		this.#nodes = nodes;
		this.#random = random;
		this.#bounds = bounds;
	}

	async run(): Promise<Figures> {
		const {nodes} = this.#nodes;
		const programs = await startWorkers([...nodes, ...nodes, ...nodes]);
		const watchers = nodes.map((node, index) => ({node, program: programs[index]!})); // As many, and more.
		const workers = programs.slice(nodes.length).map(
			(program, worker): Worker => ({
				node: nodes[worker % nodes.length]!,
				nodeIndex: worker % nodes.length,
				program,
				worker,
				random: createRandomSource(this.#random.below(2 ** 31)),
				files: new Map(),
			}),
		);
		try {
			await Promise.all(workers.map(async ({program, worker}) => program.run(`os.mkdir(at('own.${worker}'))`)));
			await workers[0]!.program.run("append('shared.log', b'')"); // Four workers.
			const watching = Promise.all(watchers.map(async watcher => this.#watchRoot(watcher)));
			watching.catch(() => undefined); // It is awaited below.
			try {
				for (const trouble of this.#chooseTroubles()) {
					await this.#goThrough(trouble, workers);
				}
			} finally {
				this.#isOver = true;
				await this.#nodes.server.setFaults({});
			}

			await watching;
			await this.#checkAfterwards(workers);
		} finally {
			programs.forEach(program => program.kill());
		}

		return this.#figures;
	}

	#chooseTroubles(): string[] {
		const names = Object.keys(troubles);
		const chosen: string[] = [];
		while (chosen.length < this.#bounds.troubleCount) {
			chosen.push(...names.splice(this.#random.below(names.length), 1));
		}

		return [...chosen, away];
	}

	async #goThrough(trouble: string, workers: readonly Worker[]): Promise<void> {
		this.#trouble = trouble;
		let isAway = trouble === away;
		await this.#nodes.server.setFaults(isAway ? {down: true} : troubles[trouble]!);
		const back = async (): Promise<void> => {
			await delay(this.#bounds.awayMs);
			isAway = false;
			await this.#nodes.server.setFaults({});
		};

		const returning = isAway ? back() : undefined;
		await Promise.all(
			workers.map(async worker => {
				for (let count = 0; count < this.#bounds.operationCount || isAway; count++) {
					await this.#step(worker);
				}
			}),
		);
		await returning;
	}

	async #step(worker: Worker): Promise<void> {
		const {random, files} = worker;
		const choice = random.below(100);
		const name = `own.${worker.worker}/${random.pick(['small1', 'small2', 'large1', 'large2'])}`;
		const file = ownFileOf(files, name);
		if (choice < 35) {
			const token = this.#token(worker);
			const linesMax = random.chance(0.5)
				? 500
				: name.includes('small')
					? 60_000
					: random.pick([200_000, 200_000, 800_000]);
			const count = 1 + random.below(linesMax);
			const answer = await this.#call(
				worker,
				file,
				`op_overwrite(${quote(name)}, ${quote(token)}, ${count}, ${constants.O_CREAT}, [])`,
			);
			this.#figures['acknowledgedWrites']! += answer.errno === undefined ? 1 : 0;
			const after: Runs = [[token, count]];
			// A failure at the open may have emptied it, and one later may be uploaded later.
			file.possible = answer.errno === undefined ? [after] : [...file.possible, after, []];
		} else if (choice < 60) {
			const answer = await this.#call(worker, file, `op_read(${quote(name)}, [])`, ['ENOENT']);
			this.#checkRead(name, file, answer);
		} else if (choice < 75) {
			await this.#append(worker);
		} else if (choice < 83) {
			await this.#rename(worker, name, file);
		} else if (choice < 88) {
			const answer = await this.#call(worker, file, `op_unlink(${quote(name)})`, ['ENOENT']);
			this.#checkAbsence(name, file, answer);
			file.possible =
				answer.errno === undefined || answer.errno === 'ENOENT' ? [undefined] : [...file.possible, undefined];
		} else if (choice < 96) {
			// A name of its own: that it exists would be wrong.
			const path = `own.${worker.worker}/${this.#token(worker)}`;
			await this.#call(worker, file, choice < 92 ? `op_mkdir(${quote(path)})` : `op_exclusive(${quote(path)}, 'x')`);
		} else {
			await this.#call(worker, file, 'op_list_root()');
		}
	}

	async #append(worker: Worker): Promise<void> {
		const tokens = [this.#token(worker)];
		const call = `op_append('shared.log', ${quote(tokens)}, 0, False, [])`;
		const operation: Operation = {
			kind: 'append',
			text: call,
			node: worker.nodeIndex,
			begin: this.#clock++,
			end: 0,
			isOver: false,
			tokens,
		};
		this.#log.add(operation);
		const answer = await this.#call(worker, undefined, call);
		Object.assign(operation, {
			end: this.#clock++,
			isOver: true,
			errno: answer.errno,
			acknowledged: answer.acknowledged ?? 0,
		});
		this.#figures['acknowledgedLines']! += answer.acknowledged ?? 0;
	}

	async #rename(worker: Worker, name: string, file: OwnFile): Promise<void> {
		const to = name.replace(/\d$/, digit => (digit === '1' ? '2' : '1'));
		const target = ownFileOf(worker.files, to);
		const answer = await this.#call(worker, file, `op_rename(${quote(name)}, ${quote(to)}, 0)`, ['ENOENT']);
		this.#checkAbsence(name, file, answer);
		target.history.push(...file.history.slice(-6));
		const moved = file.possible.filter(runs => runs !== undefined);
		if (answer.errno === undefined) {
			target.possible = moved;
			file.possible = [undefined];
		} else if (answer.errno === 'ENOENT') {
			file.possible = [undefined];
		} else {
			target.possible = [...target.possible, ...moved];
			file.possible = [...file.possible, undefined];
		}
	}

	#checkRead(name: string, file: OwnFile, answer: Answer): void {
		this.#checkAbsence(name, file, answer);
		if (answer.errno === undefined && !file.possible.some(runs => quote(runs) === quote(answer.runs))) {
			throw this.#finding(`${name} is ${quote(answer.runs)}, and may be ${quote(file.possible)}`, file.history);
		}
	}

	#checkAbsence(name: string, file: OwnFile, {errno}: Answer): void {
		if (errno === 'ENOENT' && !file.possible.includes(undefined)) {
			throw this.#finding(`${name} is not there, and may be ${quote(file.possible)}`, file.history);
		}
	}

	async #call(
		{node, program}: Pick<Worker, 'node' | 'program'>,
		file: OwnFile | undefined,
		call: string,
		errors: readonly string[] = [],
	): Promise<Answer> {
		const answer = (await program.run(call)) as Answer;
		this.#figures['calls']!++;
		file?.history.push(`${this.#trouble}: ${call} -> ${answer.errno ?? 0}`);
		this.#note('callMsMax', answer, this.#bounds.callMsMax, {node, call});
		if (answer.errno !== undefined) {
			this.#figures['failedCalls']!++;
			if (![...troubleErrors, ...errors].includes(answer.errno)) {
				throw this.#finding(
					`${call} failed with ${answer.errno} at its ${answer.step}\n${tailOf(node)}`,
					file?.history,
				);
			}
		}

		return answer;
	}

	/** The watchdog: a call that takes longer than it may is a finding, with what the daemon did. */
	#note(
		figure: 'callMsMax' | 'rootMsMax',
		{slowest, slowestMs = 0}: Answer,
		msMax: number,
		{node, call}: {node: MountedNode; call: string},
	): void {
		this.#figures[figure] = Math.max(this.#figures[figure]!, Math.round(slowestMs));
		if (slowestMs > msMax) {
			throw this.#finding(
				`${slowest} of ${call} took ${Math.round(slowestMs)} ms, and ${msMax} are its bound\n${tailOf(node, 40)}`,
			);
		}
	}

	async #watchRoot({node, program}: Pick<Worker, 'node' | 'program'>): Promise<void> {
		while (!this.#isOver) {
			const call = 'op_look_at_root()';
			const answer = (await program.run(call)) as Answer;
			this.#figures['looksAtRoot']!++;
			this.#note('rootMsMax', answer, this.#bounds.rootMsMax, {node, call});
			if (answer.errno !== undefined) {
				throw this.#finding(`${answer.step} of the root failed with ${answer.errno}\n${tailOf(node)}`);
			}

			await delay(200);
		}
	}

	async #checkAfterwards(workers: readonly Worker[]): Promise<void> {
		this.#trouble = 'S3 is well again';
		await Promise.all(this.#nodes.nodes.map(async node => drain(node)));
		this.#log.becomeQuiet(this.#clock);
		await delay(1100); // `metadata-ttl`
		for (const worker of workers) {
			const other = workers.find(({nodeIndex}) => nodeIndex !== worker.nodeIndex)!; // Two nodes.
			for (const [name, file] of worker.files) {
				for (const {program, node} of [worker, other]) {
					const answer = await this.#call({program, node}, file, `op_read(${quote(name)}, [])`, ['ENOENT']);
					if (answer.errno !== undefined && answer.errno !== 'ENOENT') {
						throw this.#finding(`${name} cannot be read: ${answer.errno}\n${tailOf(node)}`, file.history);
					}

					this.#checkRead(name, file, answer);
				}
			}

			const {runs} = await this.#call(worker, undefined, "op_read('shared.log', [])");
			this.#log.checkQuiet([runs ?? []]);
		}
	}

	#finding(what: string, operations: readonly string[] = []): Finding {
		return new Finding(`with ${this.#trouble}: ${what}`, {operations: operations.slice(-20)});
	}

	#token({worker}: Pick<Worker, 'worker'>): string {
		return `w${worker}.${this.#tokenCount++}`;
	}
}
