import {readFileSync} from 'node:fs';
import {join} from 'node:path';

/**
A small fault that somebody may make, and that the tests must notice. The lists of them lie in `test/mutants/`, one file
for an area.
*/
export type Mutant = {
	/** What the program does wrong then, as a short sentence. */
	readonly name: string;
	/** The path of the source from the root of the repository. */
	readonly file: string;
	/** A text that the file has exactly once. */
	readonly before: string;
	/** What stands in its place. */
	readonly after: string;
	/** The paths of test files: each of them must fail. */
	readonly tests: string[];
};

/**
The text of the file with the mutant in it. Fails when the file does not have the text, or has it several times: the
code has changed then, and the list must follow it.
*/
export const mutatedText = (root: string, {name, file, before, after}: Mutant): string => {
	const text = readFileSync(join(root, file), 'utf8');
	const [head = '', ...rest] = text.split(before);
	if (before === '' || before === after || rest.length !== 1) {
		throw new Error(
			`Cannot make the mutant "${name}": ${file} has the text to replace ${rest.length} times, and must have it once. Change the entry in test/mutants so that it fits the code of now. The text is:\n${before}`,
		);
	}

	return `${head}${after}${rest[0]}`; // One rest was counted.
};
