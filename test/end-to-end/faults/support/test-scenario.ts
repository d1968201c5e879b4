import type {RunningServer} from '../../semantics/support/mounted-nodes.ts';
import {fuse, python, root, testThatNeeds, type Need} from '../../../support/needs.ts';
import {testSeed} from '../../../support/random-source.ts';
import {runRound, type Scenario} from './scenario.ts';

/** The short form of a scenario as a test: one round, on a server of ours or on one that runs already. */
export const testScenario = (
	title: string,
	scenario: Scenario,
	{needs = [], s3}: {needs?: readonly Need[]; s3?: RunningServer} = {},
): void => {
	testThatNeeds(...needs, fuse, python, root).serial(title, async t => {
		t.timeout(550_000);
		t.log(JSON.stringify(await runRound(scenario, {seed: testSeed(), size: 'short', s3})));
		t.pass();
	});
};
