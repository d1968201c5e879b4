/** A round of `npm run test:faults` through kernel, daemon and Ceph RGW. */
import {randomUUID} from 'node:crypto';
import {randomBytes} from '../faults/support/random-bytes.ts';
import {testScenario} from '../faults/support/test-scenario.ts';
import {rgw, rgwServer} from './support/rgw-server.ts';

testScenario('random operations on bytes leave on another server, too, what a model in memory has', randomBytes, {
	needs: [rgw],
	s3: {bucket: `faults-${randomUUID()}`, ...rgwServer},
});
