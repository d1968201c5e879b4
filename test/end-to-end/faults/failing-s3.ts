import {failingS3} from './support/failing-s3.ts';
import {testScenario} from './support/test-scenario.ts';

testScenario('an S3 that fails in many ways gives no wrong byte, and no call takes longer than it may', failingS3);
