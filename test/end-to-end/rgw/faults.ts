/** A round of `npm run test:faults` through kernel, daemon and Ceph RGW, of the scenarios that need no other server. */
import {randomUUID} from 'node:crypto';
import {kills} from '../faults/support/kills.ts';
import {randomBytes} from '../faults/support/random-bytes.ts';
import {testScenario} from '../faults/support/test-scenario.ts';
import {rgw, rgwServer} from './support/rgw-server.ts';

const onRgw = {needs: [rgw], s3: {bucket: `faults-${randomUUID()}`, ...rgwServer}};

testScenario('random operations on bytes leave on another server, too, what a model in memory has', randomBytes, onRgw);

testScenario('a daemon that is killed loses nothing that was acknowledged on another server, either', kills, onRgw);
