import type {ExecutionContext} from 'ava';
import type {FsUnderTest, PosixCase} from '../../../support/fs-under-test.ts';
import {python, root, testThatNeeds, type Need} from '../../../support/needs.ts';
import {attributeCases} from './posix-attribute-cases.ts';
import {contentCases} from './posix-content-cases.ts';
import {hostCases} from './posix-host-cases.ts';
import {nameCases} from './posix-name-cases.ts';
import {openCases} from './posix-open-cases.ts';

const posixCases: readonly PosixCase[] = [...openCases, ...contentCases, ...nameCases, ...attributeCases, ...hostCases];

/**
Registers every case as a test, each in an empty directory of its own, but those that the medium has not: a kernel, or
calls beyond those of Node.js.
*/
export const runPosixCases = (
	how: 'test' | 'serial',
	medium: {
		readonly hasHost: boolean;
		/** Whether it makes those calls itself; else they are made by python3. */
		readonly hasExtended?: boolean;
		readonly needs?: readonly Need[];
		readonly prepare: (t: ExecutionContext, directoryName: string) => Promise<FsUnderTest>;
	},
): void => {
	const {hasHost, hasExtended = false, needs = [], prepare} = medium;
	const more = {extended: hasExtended ? [] : [python], host: [], agents: [python], users: [root]};
	for (const [index, {title, needs: kind, run}] of posixCases.entries()) {
		if (kind === undefined || kind === 'extended' || hasHost) {
			const declare = testThatNeeds(...needs, ...(kind === undefined ? [] : more[kind]))[how];
			declare(title, async t => run(t, await prepare(t, `case-${index}`)));
		}
	}
};
