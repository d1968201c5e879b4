/** The cases through the kernel again, over `transport: kernel`. */
import {runOn} from '../../support/test-transport.ts';
import {runMountedCases} from './support/run-mounted-cases.ts';

runOn('kernel');
runMountedCases();
