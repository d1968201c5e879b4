/** The POSIX cases through everything: kernel, daemon, Ceph RGW. */
import {randomUUID} from 'node:crypto';
import {rgw, rgwServer} from './support/rgw-server.ts';
import {runMountedS3Cases} from '../posix/support/run-mounted-s3-cases.ts';

runMountedS3Cases(async () => ({bucket: `posix-${randomUUID()}`, ...rgwServer}), [rgw]);
