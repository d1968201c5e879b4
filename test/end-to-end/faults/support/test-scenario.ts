import {fuse, python, root, testThatNeeds} from '../../../support/needs.ts';
import {testSeed} from '../../../support/random-source.ts';
import {runRound, type Scenario} from './scenario.ts';

/** The short form of a scenario as a test: one round. */
export const testScenario = (title: string, scenario: Scenario): void => {
	testThatNeeds(fuse, python, root).serial(title, async t => {
		t.timeout(550_000);
		t.log(JSON.stringify(await runRound(scenario, {seed: testSeed(), size: 'short'})));
		t.pass();
	});
};
