import {runMountedCases} from './support/run-mounted-cases.ts';

runMountedCases();
