/**
Makes small faults in a copy of the sources, one at a time, and runs the tests near each: a fault that no test notices
shows a test that is missing. First come the faults of the lists in `test/mutants/`, then random ones.

  npm run test:mutants -- [--seed N] [--count N] [--only PATH,...] [--kind named|random] [--minutes N]

Ends with status 1 when a list does not fit the code, or when a fault of a list survives.
*/
import {randomInt} from 'node:crypto';
import {readFileSync, readdirSync} from 'node:fs';
import {join, resolve} from 'node:path';
import process from 'node:process';
import {parseArgs} from 'node:util';
import {createRandomSource} from '../../support/random-source.ts';
import {type Mutant, mutatedText} from './mutant.ts';
import {findUnfitMutants, readNamedMutants} from './named-mutants.ts';
import {nearTests} from './near-tests.ts';
import {findMutants, type RandomMutant} from './random-mutants.ts';
import {type TestOutcome, WorkingCopy} from './working-copy.ts';

const {values} = parseArgs({
	options: {
		/** Chooses the random ones. */
		seed: {type: 'string'},
		/** How many random ones. */
		count: {type: 'string', default: '60'},
		/** Files or folders of `src/`, with commas between them. */
		only: {type: 'string', default: ''},
		kind: {type: 'string'},
		/** After this time nothing more is begun. */
		minutes: {type: 'string', default: '55'},
	},
});
const {kind} = values;
/** Whether a source is among those that were asked for. */
const isWanted = (path: string): boolean => values.only.split(',').some(start => path.startsWith(start));
const root = resolve(import.meta.dirname, '../../..');
const seed = Number(values.seed ?? randomInt(2 ** 31));
const endMs = performance.now() + Number(values.minutes) * 60_000;

/** Sources without tests near them. */
const isLeftOut = (path: string): boolean => path.startsWith('src/bin/') || nearTests(root, path).length === 0;

const chooseRandom = (): RandomMutant[] => {
	const files = readdirSync(join(root, 'src'), {recursive: true, encoding: 'utf8'})
		.map(name => join('src', name))
		.filter(path => path.endsWith('.ts') && isWanted(path) && !isLeftOut(path))
		.toSorted();
	const all = files.flatMap(file => findMutants(file, readFileSync(join(root, file), 'utf8')));
	const random = createRandomSource(seed);
	return Array.from({length: Math.min(Number(values.count), all.length)}, () =>
		all.splice(random.below(all.length), 1),
	).flat();
};

/** Test files that are green without a mutant, and how long they take; each is tried when it is needed first. */
class GreenTests {
	readonly #copy: WorkingCopy;
	readonly #outcomes = new Map<string, TestOutcome>();

	constructor(copy: WorkingCopy) {
		this.#copy = copy;
	}

	/** How red tests are with what is in the copy now. Fails when they are red without it. */
	async judge(files: readonly string[], file: string, text: string): Promise<TestOutcome> {
		const key = files.join();
		const before = this.#outcomes.get(key) ?? (await this.#copy.test(files, {timeoutMs: timeoutMsMax}));
		this.#outcomes.set(key, before);
		if (before.isRed) {
			throw new Error(`${key} fails without a mutant: ${before.firstRed}`);
		}

		this.#copy.replace(file, text);
		try {
			return await this.#copy.test(files, {timeoutMs: Math.min(60_000 + 4 * before.durationMs, timeoutMsMax)});
		} finally {
			this.#copy.restore();
		}
	}
}

const timeoutMsMax = 1_200_000;

/** The first group of tests near it that notices a random mutant. */
const judgeRandom = async (green: GreenTests, {file, text}: RandomMutant): Promise<string | undefined> => {
	for (const files of nearTests(root, file)) {
		const {isRed, firstRed} = await green.judge(files, file, text);
		if (isRed) {
			return firstRed;
		}
	}

	return undefined;
};

/** The test files of a mutant of the lists that do not notice it. */
const judgeNamed = async (green: GreenTests, mutant: Mutant): Promise<string[]> => {
	const survived: string[] = [];
	for (const path of mutant.tests) {
		const {isRed, firstRed} = await green.judge([path], mutant.file, mutatedText(root, mutant));
		console.log(`\t${path}: ${isRed ? `red: ${firstRed}` : 'GREEN'}`);
		survived.push(...(isRed ? [] : [path]));
	}

	return survived;
};

const lineOf = ({file, before}: Mutant): number => {
	const [head = ''] = readFileSync(join(root, file), 'utf8').split(before);
	return head.split('\n').length;
};

const counts = {killed: 0, survived: 0, failed: 0, 'not run': 0};
const survivors: string[] = [];

/** Counts one mutant. `judge` says whether it survived. */
const count = async (what: string, judge: () => Promise<boolean>): Promise<boolean> => {
	if (performance.now() > endMs) {
		counts['not run']++;
		return false;
	}

	try {
		const hasSurvived = await judge();
		counts[hasSurvived ? 'survived' : 'killed']++;
		if (hasSurvived) {
			survivors.push(what);
		}

		return hasSurvived;
	} catch (error) {
		counts.failed++;
		console.error(`FAILED   ${what}: ${(error as Error).message}`);
		return false;
	}
};

const named = await readNamedMutants();
const unfit = findUnfitMutants(root, named);
for (const problem of unfit) {
	console.error(problem);
}

if (unfit.length > 0) {
	process.exit(1);
}

console.log(`seed ${seed}`);
// So that the copy goes with the process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
	process.once(signal, () => process.exit(1));
}

const copy = WorkingCopy.create(root);
const green = new GreenTests(copy);
let namedSurvivorCount = 0;
for (const mutant of kind === 'random' ? [] : named.filter(({file}) => isWanted(file))) {
	const what = `${mutant.file}:${lineOf(mutant)}: ${mutant.name}`;
	const hasSurvived = await count(what, async () => {
		console.log(what);
		return (await judgeNamed(green, mutant)).length > 0;
	});
	namedSurvivorCount += hasSurvived ? 1 : 0;
}

for (const mutant of kind === 'named' ? [] : chooseRandom()) {
	const what = `${mutant.file}:${mutant.line}: ${mutant.change}`;
	await count(what, async () => {
		const firstRed = await judgeRandom(green, mutant);
		console.log(firstRed === undefined ? `SURVIVED ${what}` : `killed   ${what}\n\tby ${firstRed}`);
		return firstRed === undefined;
	});
}

console.log(`${JSON.stringify(counts)}${survivors.length === 0 ? '' : `\nSurvivors:\n\t${survivors.join('\n\t')}`}`);
process.exitCode = namedSurvivorCount > 0 || counts.failed > 0 ? 1 : 0;
