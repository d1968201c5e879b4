/** The lists of `npm run test:mutants` and what makes random faults; no fault is made here. */
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import ts from 'typescript';
import {mutatedText} from '../../mutants/support/mutant.ts';
import {findUnfitMutants, readNamedMutants} from '../../mutants/support/named-mutants.ts';
import {nearTests} from '../../mutants/support/near-tests.ts';
import {findMutants} from '../../mutants/support/random-mutants.ts';

const root = join(import.meta.dirname, '../../..');

const hasSyntax = (text: string): boolean =>
	ts.transpileModule(text, {reportDiagnostics: true}).diagnostics?.length === 0;

test('each mutant of the lists fits the code and the tests of now, and can be compiled', async t => {
	const mutants = await readNamedMutants();
	t.true(mutants.length > 20, 'The lists are found');
	t.deepEqual(findUnfitMutants(root, mutants), []);
	for (const mutant of mutants) {
		t.true(hasSyntax(mutatedText(root, mutant)), mutant.name);
	}
});

test('a mutant that does not fit is a problem that says what to do', t => {
	const mutant = {name: 'n', file: 'package.json', before: '"name"', after: '', tests: ['test/architecture.ts']};
	t.deepEqual(findUnfitMutants(root, [mutant]), []);
	for (const [change, problem] of [
		[{before: 'absent'}, /^Cannot make the mutant "n": package\.json has the text to replace 0 times, and must/],
		[{before: '"'}, /has the text to replace \d\d+ times/],
		[{tests: []}, /names no test file/],
		[{tests: ['test/absent.ts']}, /names the test file test\/absent\.ts, which does not exist/],
	] as const) {
		const problems = findUnfitMutants(root, [{...mutant, ...change, tests: [...(change.tests ?? mutant.tests)]}]);
		t.is(problems.length, 1);
		t.regex(problems[0]!, problem); // It was counted.
	}
});

test('random mutants drop and negate conditions, and drop calls, assignments and clean-ups, one at a time', t => {
	const text = `const f = async () => {
	if (a && b) {
		c = 1;
	}

	try {
		await sync(file);
		return x ? 1 : 2;
	} finally {
		close();
	}
};
`;
	const mutants = findMutants('src/f.ts', text);
	t.deepEqual(
		mutants.map(({line, change}) => `${line}: ${change}`),
		[
			'2: condition dropped: a && b becomes true',
			'2: condition dropped: a && b becomes false',
			'2: condition negated: a && b becomes !(a && b)',
			'2: half of a condition dropped: a && b becomes a',
			'2: half of a condition dropped: a && b becomes b',
			'3: assignment dropped: c = 1; becomes ;',
			'9: clean-up dropped: { close(); } becomes {}',
			'7: awaited call dropped: await sync(file); becomes ;',
			'8: condition dropped: x becomes true',
			'8: condition dropped: x becomes false',
			'8: condition negated: x becomes !(x)',
			'10: call dropped: close(); becomes ;',
		],
	);
	t.is(mutants[7]?.text, text.replace('await sync(file);', ';'));
	const source = 'src/upload/staging-area.ts';
	const real = findMutants(source, readFileSync(join(root, source), 'utf8'));
	t.true(real.length > 50);
	t.deepEqual(
		real.filter(mutant => !hasSyntax(mutant.text)),
		[],
	);
});

test('the tests near a source are its own, then those of its folder, each once', t => {
	const [own, folder = []] = nearTests(root, 'src/upload/journal.ts');
	t.deepEqual(own, ['test/upload/journal.ts']);
	t.true(folder.includes('test/upload/staging-area.ts') && !folder.includes('test/upload/journal.ts'));
	t.deepEqual(nearTests(root, 'src/bin/daemon.ts').flat(), ['test/bin/demo.ts']);
});
