import {setTimeout as delay} from 'node:timers/promises';
import type {Deadline} from '../deadline.ts';
import {mountsAt, readMountTable} from './mount-table.ts';
import {NodeError} from '../node-error.ts';
import {runCommand} from '../host/run-command.ts';

/**
Shows `source` at `target` as well, and checks in the mount table that it is there. Leaves nothing behind when it
fails. With `keepBelow` it comes to lie on the mounts that are there, which may be dead, and leaves those as they
are.
*/
export const bindMount = async ({
	source,
	target,
	readOnly,
	deadline,
	keepBelow = false,
}: {
	source: string;
	target: string;
	readOnly: boolean;
	deadline: Deadline;
	keepBelow?: boolean;
}): Promise<void> => {
	// `-o bind` and `-n` are what util-linux and busybox have in common. Neither looks at the target itself.
	const bound = await runCommand('mount', ['-n', '-o', 'bind', source, target], deadline);
	const device = mountsAt(readMountTable(), source).at(-1)?.device;
	const mount = mountsAt(readMountTable(), target).at(-1);
	if (bound.exitCode !== 0 || device === undefined || mount?.device !== device) {
		if (!keepBelow) {
			await detachMounts(target, deadline);
		}

		throw new NodeError(
			`Cannot bind the volume to ${target}: ${bound.message || 'the mount did not appear in the mount table'}`,
		);
	}

	if (readOnly) {
		const remounted = await runCommand('mount', ['-n', '-o', 'remount,bind,ro', target], deadline);
		if (remounted.exitCode !== 0) {
			await detachMounts(target, deadline);
			throw new NodeError(`Cannot make the mount at ${target} read-only: ${remounted.message}`);
		}
	}
};

/**
Takes a mount out of the group of its parent's peers. Otherwise all bind mounts of a volume would be peers of each
other, and what is mounted on the dead mount of one pod, to heal it, would appear in every other pod: in one that is
read-only, writable.
*/
export const isolateMount = async (path: string, deadline: Deadline): Promise<void> => {
	const result = await runCommand('mount', ['--make-private', path], deadline);
	const mount = mountsAt(readMountTable(), path).at(-1);
	if (mount?.peerGroup !== undefined || mount?.masterGroup !== undefined) {
		throw new NodeError(`Cannot make the mount at ${path} private: ${result.message || 'it stays shared'}`);
	}
};

/**
From gentle to forceful. `-c` and `-i` (util-linux) keep umount from looking at a mount that may hang, and from calling
helpers; busybox knows neither, hence the second. A lazy detach is the last resort: it leaves the path free at once.
*/
const lazyArguments: ReadonlyArray<readonly string[]> = [['-i', '-c', '-l'], ['-l']];
const unmountArguments: ReadonlyArray<readonly string[]> = [['-i', '-c'], [], ...lazyArguments];

const stackedMountCountMax = 64;
const busyRetryMs = 100;
const attemptMs = 5000;

/**
Takes away every mount at a path, stacked ones too, dead ones (ENOTCONN) and hanging ones too; success when there
was none. Looks only at the mount table, never at the path itself.
*/
export const detachMounts = async (path: string, deadline: Deadline): Promise<void> => {
	for (let round = 0; round < stackedMountCountMax; round++) {
		const before = mountsAt(readMountTable(), path).length;
		if (before === 0) {
			return;
		}

		await detachOne(path, before, deadline);
	}

	throw new NodeError(`Cannot unmount ${path}: more than ${stackedMountCountMax} mounts are stacked there`);
};

/**
Takes away the upper mount of a stack at once, whoever still uses it; the copies that came from it to other
namespaces go with it.
*/
export const detachTop = async (path: string, deadline: Deadline): Promise<void> => {
	await detachOne(path, mountsAt(readMountTable(), path).length, deadline, lazyArguments);
};

const detachOne = async (
	path: string,
	before: number,
	deadline: Deadline,
	attempts: ReadonlyArray<readonly string[]> = unmountArguments,
): Promise<void> => {
	let message = '';
	for (const args of attempts) {
		const result = await runCommand('umount', [...args, path], deadline.within(attemptMs));
		if (mountsAt(readMountTable(), path).length < before) {
			return;
		}

		message = result.message || message;
		if (/busy/.test(result.message)) {
			// A process that has just ended may hold the mount for a moment longer.
			await delay(Math.min(busyRetryMs, deadline.remainingMs()));
		}
	}

	throw new NodeError(`Cannot unmount ${path}: ${message || 'it stays in the mount table'}`);
};

/**
Whether the file system at a path responds. Asked by a child, because a call on a hanging mount cannot be taken back:
a shell's `cd` and `[ -d ]` are lookups and a stat of its root.
*/
export const isResponding = async (path: string, deadline: Deadline): Promise<boolean> => {
	const result = await runCommand('/bin/sh', ['-c', 'cd -P -- "$1" && [ -d . ]', 'sh', path], deadline);
	return result.exitCode === 0;
};
