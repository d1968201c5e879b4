/** The cases through everything: kernel, daemon, the embedded S3 server. */
import {spawnTestDevServer} from '../../support/dev-server.ts';
import {runMountedS3Cases} from './support/run-mounted-s3-cases.ts';

runMountedS3Cases(spawnTestDevServer);
