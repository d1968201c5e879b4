import type {ExecutionContext, SerialFn, TestFn} from 'ava';
import type {FsUnderTest, PosixCase} from './fs-under-test.ts';
import {attributeCases} from './posix-attribute-cases.ts';
import {contentCases} from './posix-content-cases.ts';
import {hostCases} from './posix-host-cases.ts';
import {nameCases} from './posix-name-cases.ts';
import {openCases} from './posix-open-cases.ts';

export const posixCases: readonly PosixCase[] = [
	...openCases,
	...contentCases,
	...nameCases,
	...attributeCases,
	...hostCases,
];

/**
Registers every case as a test, each in an empty directory of its own. What a file system cannot offer is skipped
and said.
*/
export const runPosixCases = (
	test: TestFn | SerialFn,
	medium: {
		readonly hasHost: boolean;
		readonly hasExtended: boolean;
		readonly prepare: (t: ExecutionContext, directoryName: string) => Promise<FsUnderTest>;
	},
): void => {
	for (const [index, {title, needs, run}] of posixCases.entries()) {
		const isPossible = needs === undefined || (needs === 'host' ? medium.hasHost : medium.hasExtended);
		if (isPossible) {
			test(title, async t => run(t, await medium.prepare(t, `case-${index}`)));
		} else if (needs === 'extended') {
			test.skip(`${title} (needs python3)`, t => t.pass());
		}
	}
};
