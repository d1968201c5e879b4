/** A round of `npm run test:faults` through kernel, daemon and Ceph RGW, of the scenarios that need no other server. */
import {randomUUID} from 'node:crypto';
import test from 'ava';
import {failingS3} from '../faults/support/failing-s3.ts';
import {kills} from '../faults/support/kills.ts';
import {randomBytes} from '../faults/support/random-bytes.ts';
import {testScenario} from '../faults/support/test-scenario.ts';
import {isMet} from '../../support/needs.ts';
import {startFaultyProxy} from './support/faulty-proxy.ts';
import {rgw, rgwServer} from './support/rgw-server.ts';

// Where all tests are left out, nothing would close it.
const proxy = isMet(rgw) ? await startFaultyProxy(rgwServer.endpoint) : undefined;
test.after.always(async () => proxy?.close());

const onRgw = {needs: [rgw], s3: {...rgwServer, ...proxy, bucket: `faults-${randomUUID()}`}};

testScenario('random operations on bytes leave on another server, too, what a model in memory has', randomBytes, onRgw);

testScenario('a daemon that is killed loses nothing that was acknowledged on another server, either', kills, onRgw);

testScenario(
	'failures before another server give no wrong byte, and no call takes longer than it may',
	failingS3,
	onRgw,
);
