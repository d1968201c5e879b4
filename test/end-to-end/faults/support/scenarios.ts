import {randomBytes} from './random-bytes.ts';
import type {Scenario} from './scenario.ts';
import {severalNodes} from './several-nodes.ts';

/** All of them, in the order in which a long run goes through them. */
export const scenarios: readonly Scenario[] = [severalNodes, randomBytes];
