import {constants} from 'node:fs';
import {mkdir, readdir, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {createRandomSource, type RandomSource} from '../../../support/random-source.ts';
import type {MountedNode, MountedNodes} from '../../semantics/support/mounted-nodes.ts';
import type {Program} from '../../semantics/support/program.ts';
import {FileHistory, type Operation, type Runs} from './close-to-open-history.ts';
import {drain, tailOf} from './drain.ts';
import {onRoundNodes, ownFileOf, quote, startWorkers, type Answer, type OwnFile} from './round-nodes.ts';
import {Finding, type Figures, type Scenario} from './scenario.ts';
import {createStorage, playLossOfPower, type KillAtStep, type StagingSettings} from './staging-settings.ts';

const steps = new URL('staging-steps.ts', import.meta.url);

/** What calls fail with when their daemon is dead. */
const deathErrors = ['ENOTCONN', 'ECONNABORTED', 'EIO', 'ENXIO', 'EINTR'];

type Worker = {
	readonly program: Program;
	readonly worker: number;
	readonly random: RandomSource;
	readonly files: Map<string, OwnFile>;
	readonly log: FileHistory;
};

/** After this a process that was killed is taken for one that waits for its own mount. */
const deathMsMax = 60_000;

/**
Kills a daemon again and again while programs write: at random moments, at a step of the journal, while it recovers.
In some rounds the machine dies with it. What a close() or fsync() has acknowledged is there afterwards.
*/
export const kills: Scenario = {
	name: 'kills',
	needs: 'any',
	async run(request) {
		const random = createRandomSource(request.seed);
		const isPowerLost = random.chance(0.5);
		const latencyMs = random.pick([0, 50, 200]);
		// Late answers of S3, so that the journal has something to keep.
		const faults = {latencyMsByOperation: {PutObject: latencyMs, CompleteMultipartUpload: latencyMs}};
		return onRoundNodes(request, {count: 1, faults}, async nodes =>
			new Round(nodes, random, isPowerLost).run(request.size === 'long' ? 12 : 3),
		);
	},
};

class Round {
	readonly #nodes: MountedNodes;
	readonly #node: MountedNode;
	readonly #random: RandomSource;
	readonly #isPowerLost: boolean;
	readonly #staging: string;
	readonly #figures: Record<string, number> = {
		kills: 0,
		killsAtSteps: 0,
		killsInRecovery: 0,
		lossesOfPower: 0,
		acknowledged: 0,
	};
	#clock = 0;
	#tokenCount = 0;
	#bootCount = 0;

	constructor(nodes: MountedNodes, random: RandomSource, isPowerLost: boolean) {
		this.#nodes = nodes;
		this.#node = nodes.a;
		this.#random = random;
		this.#isPowerLost = isPowerLost;
		this.#staging = join(nodes.a.volumeDirectory, 'staging');
	}

	async run(killCount: number): Promise<Figures> {
		const programs = await startWorkers([this.#node, this.#node, this.#node]);
		const workers = programs.map(
			(program, worker): Worker => ({
				program,
				worker,
				random: createRandomSource(this.#random.below(2 ** 31)),
				files: new Map(),
				log: new FileHistory({name: `log.${worker}`, kind: 'log', strictness: 'contents'}),
			}),
		);
		try {
			await this.#kill(); // The first one was started without steps.
			await this.#restart();
			for (let kill = 0; kill < killCount; kill++) {
				await this.#killOnce(workers);
				await this.#check(workers);
			}

			await this.#kill();
			await this.#restart();
			await this.#checkAtTheEnd(workers);
		} finally {
			programs.forEach(program => program.kill());
		}

		return this.#figures;
	}

	/** One life of a daemon that does work, and its death. */
	async #killOnce(workers: readonly Worker[]): Promise<void> {
		const isAtStep = this.#random.chance(0.6);
		if (isAtStep) {
			await this.#killAt({step: 1 + this.#random.below(60), inTheMiddle: this.#random.chance(0.5)});
		}

		const {exited} = this.#node.daemon();
		let isDead = false;
		const death = exited.then(() => {
			isDead = true;
		});
		const working = Promise.all(
			workers.map(async worker => {
				for (let count = 0; count < 25 && !isDead; count++) {
					await this.#write(worker);
				}
			}),
		);
		if (!isAtStep) {
			await Promise.race([working, delay(20 + this.#random.below(1500))]);
			await this.#kill();
		}

		await working;
		if (!isDead) {
			await this.#kill(); // It has not come to that step.
		} else if (isAtStep) {
			this.#figures['killsAtSteps']!++;
		}

		await this.#whenDead(death);
		this.#figures['kills']!++;
		await this.#recover();
	}

	/** Starts the daemon on what was left; sometimes it dies while it recovers. */
	async #recover(): Promise<void> {
		this.#losePower();
		while (this.#random.chance(0.3)) {
			await this.#killAt({step: 1 + this.#random.below(12), inTheMiddle: this.#random.chance(0.5)});
			await this.#restart({mayDie: true});
			// It uploads what it has recovered.
			await Promise.race([this.#node.daemon().exited, delay(this.#random.below(600))]);
			await this.#kill();
			this.#figures['kills']!++;
			this.#figures['killsInRecovery']!++;
			this.#losePower();
		}

		await this.#restart();
	}

	/** Ends the daemon, if it has not ended by itself at a step. */
	async #kill(): Promise<void> {
		const {pid, exited} = this.#node.daemon();
		try {
			process.kill(pid, 'SIGKILL');
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'ESRCH') {
				throw error;
			}
		}

		await this.#whenDead(exited);
	}

	async #whenDead(exited: Promise<unknown>): Promise<void> {
		const isDead = await Promise.race([exited.then(() => true), delay(deathMsMax, false)]);
		if (!isDead) {
			throw new Finding(`the daemon does not end on SIGKILL\n${tailOf(this.#node)}`);
		}
	}

	#losePower(): void {
		if (this.#isPowerLost) {
			playLossOfPower({directory: this.#staging, storage: this.#storage}, this.#random);
			this.#bootCount++;
			this.#figures['lossesOfPower']!++;
		}
	}

	get #storage(): string {
		return join(this.#node.volumeDirectory, 'stable-storage');
	}

	/** The daemon that runs, or starts next, kills itself at this change of its staging directory. */
	async #killAt(kill: KillAtStep): Promise<void> {
		await writeFile(this.#killFile, JSON.stringify(kill));
	}

	get #killFile(): string {
		return join(this.#node.volumeDirectory, 'kill-at-step');
	}

	async #restart({mayDie = false}: {mayDie?: boolean} = {}): Promise<void> {
		if (!mayDie) {
			await rm(this.#killFile, {force: true});
		}

		await mkdir(this.#staging, {recursive: true});
		const settings: StagingSettings = {
			directory: this.#staging,
			killFile: this.#killFile,
			bootId: `boot-${this.#bootCount}`,
			...(this.#isPowerLost ? {storage: createStorage(this.#storage)} : {}),
		};
		try {
			await this.#node.restart({
				environment: {
					NODE_OPTIONS: `--import=${steps.href}`,
					PNX_VOLUME_TEST_STAGING: JSON.stringify(settings),
				},
			});
		} catch (error) {
			// A daemon that dies before it has mounted is one more kill.
			if (!mayDie || !String(error).includes('ended without an answer')) {
				throw error;
			}

			this.#figures['kills']!++;
			this.#figures['killsInRecovery']!++;
			this.#losePower();
			await this.#restart();
		}
	}

	async #write(worker: Worker): Promise<void> {
		const {random} = worker;
		const choice = random.below(100);
		const name = `${worker.worker}.${random.pick(['a', 'b', 'c'])}`;
		const file = ownFileOf(worker.files, name);
		const token = `w${worker.worker}.${this.#tokenCount++}`;
		if (choice < 40) {
			const count = random.chance(0.1) ? 100_000 : 1 + random.below(800);
			const call = `op_overwrite(${quote(name)}, ${quote(token)}, ${count}, ${constants.O_CREAT}, [])`;
			const {errno} = await this.#call(worker, file, call);
			const after: Runs = [[token, count]];
			file.possible = errno === undefined ? [after] : [...file.possible, after];
		} else if (choice < 75) {
			await this.#append(worker, token);
		} else if (choice < 88) {
			const to = `${worker.worker}.${random.pick(['a', 'b', 'c'])}`;
			const target = ownFileOf(worker.files, to);
			const isThere = file.possible.length === 1 && file.possible[0] !== undefined;
			if (to !== name && isThere) {
				const {errno} = await this.#call(worker, file, `op_rename(${quote(name)}, ${quote(to)}, 0)`);
				target.history.push(...file.history.slice(-8));
				target.possible = errno === undefined ? file.possible : [...target.possible, ...file.possible];
				file.possible = errno === undefined ? [undefined] : [...file.possible, undefined];
			}
		} else {
			const {errno} = await this.#call(worker, file, `op_unlink(${quote(name)})`, ['ENOENT']);
			file.possible = errno === undefined || errno === 'ENOENT' ? [undefined] : [...file.possible, undefined];
		}
	}

	async #append(worker: Worker, token: string): Promise<void> {
		const tokens = [token, `${token}.2`];
		const call = `op_append(${quote(worker.log.name)}, ${quote(tokens)}, ${constants.O_CREAT}, ${worker.random.chance(0.5) ? 'True' : 'False'}, [])`;
		const operation: Operation = {
			kind: 'append',
			text: call,
			node: worker.worker,
			begin: this.#clock++,
			end: 0,
			isOver: false,
			tokens,
		};
		worker.log.add(operation);
		const {errno, acknowledged = 0} = await this.#call(worker, undefined, call);
		Object.assign(operation, {end: this.#clock++, isOver: true, errno, acknowledged});
	}

	async #call(
		{program}: Worker,
		file: OwnFile | undefined,
		call: string,
		errors: readonly string[] = [],
	): Promise<Answer> {
		const answer = (await program.run(call)) as Answer;
		file?.history.push(`life ${this.#figures['kills']}: ${call} -> ${answer.errno ?? 0}`);
		if (answer.errno === undefined) {
			this.#figures['acknowledged']!++;
		} else if (![...deathErrors, ...errors].includes(answer.errno)) {
			throw new Finding(`${call} failed with ${answer.errno} at its ${answer.step}\n${tailOf(this.#node)}`, {
				operations: file?.history.slice(-20) ?? [],
			});
		}

		return answer;
	}

	/** What was acknowledged is there, on a daemon that has recovered. */
	async #check(workers: readonly Worker[]): Promise<void> {
		for (const worker of workers) {
			for (const [name, file] of worker.files) {
				const answer = await this.#call(worker, file, `op_read(${quote(name)}, [])`, ['ENOENT']);
				const found = answer.errno === 'ENOENT' ? undefined : answer.runs;
				if (answer.errno !== undefined && answer.errno !== 'ENOENT') {
					throw new Finding(`${name} cannot be read after a kill: ${answer.errno}\n${tailOf(this.#node)}`, {
						operations: file.history.slice(-20),
					});
				}

				if (!file.possible.some(runs => quote(runs) === quote(found))) {
					throw new Finding(
						`after a kill ${name} is ${quote(found)}, and may be ${file.possible.map(runs => quote(runs) ?? 'absent').join(' or ')}\n${tailOf(this.#node)}`,
						{operations: file.history.slice(-20)},
					);
				}

				file.possible = [found];
			}

			worker.log.becomeQuiet(this.#clock);
			const {errno, runs = []} = await this.#call(worker, undefined, `op_read(${quote(worker.log.name)}, [])`, [
				'ENOENT',
			]);
			worker.log.checkQuiet(errno === undefined ? [runs] : []);
		}
	}

	/** S3 has what the node shows, and nothing was put aside that nobody lost. */
	async #checkAtTheEnd(workers: readonly Worker[]): Promise<void> {
		await drain(this.#node);
		await this.#check(workers);
		const shown = JSON.parse(
			await this.#node.shell("find . -type f -printf '\"%P\":%s,' | sed 's/^/{/; s/,$/}/; s/^{$/{}/'"),
		) as Record<string, number>;
		const stored = Object.fromEntries(
			(await this.#nodes.bucket.list({prefix: ''})).objects.map(({key, sizeBytes}) => [key, sizeBytes]),
		);
		const sort = (sizes: Record<string, number>): string =>
			quote(Object.entries(sizes).toSorted(([x], [y]) => (x < y ? -1 : 1)));
		if (sort(shown) !== sort(stored)) {
			throw new Finding(`the node shows ${sort(shown)}, and the bucket has ${sort(stored)}\n${tailOf(this.#node)}`);
		}

		const failed = await readdir(join(this.#staging, 'failed')).catch(() => []);
		if (failed.length > 0 && !this.#isPowerLost) {
			throw new Finding(`${failed.join(', ')} were put aside, although no power was lost\n${tailOf(this.#node)}`);
		}
	}
}
