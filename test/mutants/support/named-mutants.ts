import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {type Mutant, mutatedText} from './mutant.ts';

const directory = join(import.meta.dirname, '..');

/** The mutants of all lists in `test/mutants/`, in the order of their files. */
export const readNamedMutants = async (): Promise<Mutant[]> => {
	const files = readdirSync(directory).filter(name => name.endsWith('.ts'));
	const lists = await Promise.all(
		files.toSorted().map(async name => (await import(join(directory, name))) as {readonly mutants: Mutant[]}),
	);
	return lists.flatMap(({mutants}) => mutants);
};

/** What is wrong with entries of the lists: a sentence for each that does not fit the code and the tests of now. */
export const findUnfitMutants = (root: string, mutants: readonly Mutant[]): string[] =>
	mutants.flatMap(mutant => {
		const absent = mutant.tests.filter(path => !existsSync(join(root, path)));
		const problems = absent.map(
			path => `The mutant "${mutant.name}" names the test file ${path}, which does not exist`,
		);
		if (mutant.tests.length === 0) {
			problems.push(`The mutant "${mutant.name}" names no test file that must fail`);
		}

		if (mutants.some(other => other !== mutant && other.name === mutant.name)) {
			problems.push(`Two mutants have the name "${mutant.name}"`);
		}

		try {
			mutatedText(root, mutant);
		} catch (error) {
			problems.push((error as Error).message);
		}

		return problems;
	});
