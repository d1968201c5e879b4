import {runMountCases} from './support/run-mount-cases.ts';

runMountCases();
