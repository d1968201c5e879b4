import {constants} from 'node:fs';
import type {LookupPurpose} from '../filesystem/filesystem.ts';
import {readPathArgument, readSyscall, type Syscall} from './calling-syscall.ts';
import {parseOpenFlags} from './open-flags.ts';

/**
Calls that ask for a name, or make one only if it is free, on x86-64 and arm64 (asm/unistd*.h): stat and its kin,
access, readlink, mkdir, mknod, symlink, rename. The numbers that mean something else on the other machine belong to
calls that look no name up, or to such a call too.
*/
const askingNumbers: ReadonlySet<number> = new Set([
	...[4, 6, 21, 262, 269, 332, 439, 89, 267, 83, 258, 133, 259, 88, 266, 82, 264, 316],
	...[79, 48, 291, 78, 34, 33, 36, 38, 276],
]);

/** open(2), openat(2) of x86-64, openat(2) of arm64: where the path and the flags stand. */
const openArguments: ReadonlyMap<number, {readonly path: number; readonly flags: number}> = new Map([
	[2, {path: 0, flags: 1}],
	[257, {path: 1, flags: 2}],
	[56, {path: 1, flags: 2}],
]);

/** Why the kernel looks a path up for a thread, as far as it can be told. Only while that waits for the answer. */
export const lookupPurposeOf = async (threadId: number, path: string): Promise<LookupPurpose | undefined> => {
	const syscall = await readSyscall(threadId);
	if (syscall === undefined) {
		return undefined;
	}

	return askingNumbers.has(syscall.number) ? {call: 'ask'} : toOpenPurpose(syscall, threadId, path);
};

const toOpenPurpose = async (
	{number, args}: Syscall,
	threadId: number,
	path: string,
): Promise<LookupPurpose | undefined> => {
	const places = openArguments.get(number);
	const flags = Number(args[places?.flags ?? Number.NaN]);
	if (places === undefined || Number.isNaN(flags)) {
		return undefined;
	}

	// A path is looked up step by step: only the last step is followed by the opening.
	const given = await readPathArgument(threadId, args[places.path] ?? '');
	if (given === undefined || !isLastStep(path, given)) {
		return undefined;
	}

	return (flags & (constants.O_DIRECTORY | pathOnly)) === 0
		? {call: 'open', threadId, flags: parseOpenFlags(flags)}
		: {call: 'ask'}; // Nobody closes a directory.
};

/** O_PATH: nothing is opened. */
const pathOnly = 0o10_000_000;

/**
Whether a path of the file system is what a program's path leads to, and not a directory on the way there. The program's
path may begin outside the file system, or somewhere in it.
*/
export const isLastStep = (path: string, given: string): boolean => {
	const names = path.split('/').filter(name => name !== '');
	const steps = given.split('/').filter(step => step !== '' && step !== '.');
	const leadsTo = (count: number): boolean => {
		const compared = Math.min(names.length, count);
		return compared > 0 && names.slice(-compared).join('/') === steps.slice(count - compared, count).join('/');
	};

	return (
		!given.endsWith('/') &&
		leadsTo(steps.length) &&
		!steps.some((_, index) => index + 1 < steps.length && leadsTo(index + 1))
	);
};
