import {failingS3} from './failing-s3.ts';
import {kills} from './kills.ts';
import {randomBytes} from './random-bytes.ts';
import type {Scenario} from './scenario.ts';
import {fileSystemAlone, wholeProduct} from './seeded-suites.ts';
import {severalNodes} from './several-nodes.ts';

/** All of them, in the order in which a long run goes through them. */
export const scenarios: readonly Scenario[] = [
	severalNodes,
	randomBytes,
	failingS3,
	kills,
	fileSystemAlone,
	wholeProduct,
];
