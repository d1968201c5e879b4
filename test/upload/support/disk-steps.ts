import fs from 'node:fs/promises';
import path from 'node:path';
import type {ExecutionContext} from 'ava';

type Watch = {readonly directory: string; readonly steps: string[]};

const watches = new Set<Watch>();
const failingSyncs = new Set<string>();
const places = new WeakMap<fs.FileHandle, string>();

const note = (place: unknown, toStep: (name: string) => string): void => {
	for (const {directory, steps} of watches) {
		const name = typeof place === 'string' ? path.relative(directory, place) : '..';
		if (!name.startsWith('..')) {
			steps.push(toStep(name.replace(/^\d{14}-\d{10}\./, '') || 'the directory'));
		}
	}
};

/** From now on every change of a file or a name is told as it begins, and every sync when it is over. */
const install = async (): Promise<void> => {
	const probe = await fs.open('/dev/null');
	const prototype = Object.getPrototypeOf(probe) as fs.FileHandle;
	await probe.close();
	const {open, rename, unlink} = fs;
	const {write, writeFile, sync, datasync} = prototype;
	Object.assign(fs, {
		async open(place: string, ...more: never[]) {
			const handle = await open(place, ...more);
			places.set(handle, place);
			return handle;
		},
		async rename(from: string, to: string) {
			note(to, name => `rename to ${name}`);
			await rename(from, to);
		},
		async unlink(place: string) {
			note(place, name => `unlink ${name}`);
			await unlink(place);
		},
	});
	type Call = (...argv: unknown[]) => Promise<unknown>;
	const told = (call: unknown, toStep: (name: string) => string, isAfter: boolean): Call =>
		async function (this: fs.FileHandle, ...argv) {
			const place = places.get(this) ?? '';
			if (isAfter && failingSyncs.delete(path.dirname(place))) {
				throw Object.assign(new Error('EIO: i/o error, fdatasync'), {code: 'EIO', syscall: 'fdatasync'});
			}

			if (!isAfter) {
				note(place, toStep);
			}

			const result = await (call as Call).apply(this, argv);
			if (isAfter) {
				note(place, toStep);
			}

			return result;
		};

	Object.assign(prototype, {
		write: told(write, name => `write ${name}`, false),
		writeFile: told(writeFile, name => `write ${name}`, false),
		sync: told(sync, name => `sync ${name}`, true),
		datasync: told(datasync, name => `sync ${name}`, true),
	});
};

// Files that are open before are not known: so it comes first.
await install();

/** The next sync of a file in a directory fails, as on a broken disk; the ones after it do not, as with Linux. */
export const failNextSync = (directory: string): void => {
	failingSyncs.add(directory);
};

/**
What this process asks of the disk below a directory, in its order: `write data`, `sync json.tmp`, `rename to json`,
`sync the directory`, `unlink json`. Names are those of staging files without their ids.
*/
export const watchDisk = (t: ExecutionContext, directory: string): string[] => {
	const watch = {directory, steps: []};
	watches.add(watch);
	t.teardown(() => watches.delete(watch));
	return watch.steps;
};
