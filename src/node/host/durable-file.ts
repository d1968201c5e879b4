import {randomBytes} from 'node:crypto';
import {
	closeSync,
	fchmodSync,
	fsyncSync,
	openSync,
	readdirSync,
	renameSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import {basename, dirname, join} from 'node:path';

/** A name that no watcher of the directory looks at, and that `removeLeftOvers` finds after a crash. */
export const temporarySibling = (path: string): string =>
	join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);

/**
Durable before visible: the old file or the new one, whatever happens. `check` looks at the new one before it takes
the place of the old.
*/
export const replaceFile = async (
	path: string,
	contents: string | Buffer,
	{mode, check}: {mode: number; check?: (temporary: string) => Promise<void>},
): Promise<void> => {
	const temporary = temporarySibling(path);
	try {
		writeSynced(temporary, contents, mode);
		await check?.(temporary);
		renameSync(temporary, path);
	} catch (error) {
		rmSync(temporary, {force: true});
		throw error;
	}

	syncDirectory(dirname(path));
};

/** The same for small state of ours: a crash of the machine may still bring the old file back. */
export const replaceStateFile = (path: string, contents: string): void =>
	replaceBy(path, temporary => writeSynced(temporary, contents, 0o600));

/** Points a link somewhere else; whoever follows it meets the old target or the new one. */
export const replaceLink = (path: string, target: string): void => {
	replaceBy(path, temporary => symlinkSync(target, temporary));
	syncDirectory(dirname(path));
};

const replaceBy = (path: string, make: (temporary: string) => void): void => {
	const temporary = temporarySibling(path);
	try {
		make(temporary);
		renameSync(temporary, path);
	} catch (error) {
		rmSync(temporary, {force: true});
		throw error;
	}
};

const writeSynced = (path: string, contents: string | Buffer, mode: number): void => {
	const fd = openSync(path, 'wx', mode);
	try {
		writeFileSync(fd, contents);
		fchmodSync(fd, mode); // Whatever the umask is.
		fsyncSync(fd);
	} finally {
		closeSync(fd);
	}
};

export const syncDirectory = (directory: string): void => {
	const fd = openSync(directory, 'r');
	try {
		fsyncSync(fd);
	} finally {
		closeSync(fd);
	}
};

/** Takes away what a writer that was killed has left beside `path`; for who holds the lock of that directory. */
export const removeLeftOvers = (directory: string, name: RegExp): void => {
	for (const entry of readdirSync(directory)) {
		if (name.test(entry)) {
			rmSync(join(directory, entry), {recursive: true, force: true});
		}
	}
};
