import {appendFileSync, existsSync} from 'node:fs';
import test, {type ExecutionContext} from 'ava';
import {findHostTool} from '../../src/node/host/host-tool.ts';
import {allowedSkips} from './allowed-skips.ts';
import {hasPython} from './python.ts';

/** What tests need of a machine that not every machine has; `missing` says why this one has it not. */
export type Need = {readonly what: string; readonly missing: string | undefined};

type Declare = (title: string, run: (t: ExecutionContext) => Promise<void> | void) => void;

const unless = (what: string, isThere: boolean, missing: string): Need => ({
	what,
	missing: isThere ? undefined : missing,
});

export const fuse: Need = unless('fuse', existsSync('/dev/fuse'), 'there is no /dev/fuse');
export const root: Need = unless('root', process.geteuid?.() === 0, 'only root may do this');
export const python: Need = unless('python3', hasPython(), 'there is no python3');
export const setpriv: Need = unless('setpriv', findHostTool('setpriv') !== undefined, 'there is no setpriv');

/** Whether tests that need this run on this machine. */
export const isMet = (...needs: readonly Need[]): boolean => needs.every(({missing}) => missing === undefined);

/**
Declares tests that need something. Where it is missing they are skipped, with the reason in their title; in CI (`CI` is
set) they fail instead, unless `allowed-skips.ts` lists it. Each skip is a line of the file `PNX_VOLUME_SKIPS`, which
`.ci/run` counts at its end.
*/
export const testThatNeeds = (...needs: readonly Need[]): {test: Declare; serial: Declare; failing: Declare} => {
	const lacking = needs.find(({missing}) => missing !== undefined);
	if (lacking === undefined) {
		return {test, serial: test.serial, failing: test.serial.failing};
	}

	const {what, missing = ''} = lacking;
	const isAllowed = what in allowedSkips || (process.env['CI'] ?? '') === '';
	const declare: Declare = title => {
		const reason = `${title} (left out: ${missing})`;
		if (isAllowed) {
			note(`${what}: ${missing}`);
			test.skip(reason, t => t.pass());
		} else {
			test(reason, t => t.fail(`In CI this is no reason to skip: ${what} is not in test/support/allowed-skips.ts`));
		}
	};

	return {test: declare, serial: declare, failing: declare};
};

const note = (line: string): void => {
	const path = process.env['PNX_VOLUME_SKIPS'];
	if (path !== undefined) {
		appendFileSync(path, `${line.replaceAll(/\s+/g, ' ')}\n`);
	}
};
