import {randomBytes} from './support/random-bytes.ts';
import {testScenario} from './support/test-scenario.ts';

testScenario('random operations on bytes leave what a model in memory has, on this node and another one', randomBytes);
