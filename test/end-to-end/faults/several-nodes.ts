import {severalNodes} from './support/several-nodes.ts';
import {testScenario} from './support/test-scenario.ts';

testScenario(
	'programs on several nodes that change the same files at the same time lose and mix nothing',
	severalNodes,
);
