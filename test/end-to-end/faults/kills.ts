import {kills} from './support/kills.ts';
import {testScenario} from './support/test-scenario.ts';

testScenario(
	'a daemon that is killed at any step of its journal, and a machine that loses its power, lose nothing that was acknowledged',
	kills,
);
