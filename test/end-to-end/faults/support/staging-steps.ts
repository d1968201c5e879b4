/**
Loaded into a daemon before everything else (`NODE_OPTIONS=--import=…`). As `PNX_VOLUME_TEST_STAGING` says, it stands
between the daemon and its staging directory. Each change there is a step: the daemon can be killed before a step, or in
the middle of one. And it writes down what stable storage would have, so that the death of the machine can be played.
*/
import {
	appendFileSync,
	copyFileSync,
	existsSync,
	readFileSync,
	readdirSync,
	rmSync,
	statSync,
	writeSync,
} from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import type {KillAtStep, StagingSettings, StorageEvent} from './staging-settings.ts';

const settings = JSON.parse(process.env['PNX_VOLUME_TEST_STAGING'] ?? '{}') as StagingSettings;
const {directory, killFile, bootId, storage} = settings;
const places = new WeakMap<fs.FileHandle, string>();
let kill: KillAtStep | undefined;
let stepCount = 0;
let copyCount = 0;

const isInside = (place: unknown): place is string =>
	typeof place === 'string' && (place + path.sep).startsWith(directory + path.sep);

const note = (event: StorageEvent): void => {
	if (storage !== undefined) {
		appendFileSync(path.join(storage, 'events'), `${JSON.stringify(event)}\n`);
	}
};

/** What stable storage has of a file from now on. */
const keep = (place: string): void => {
	if (storage !== undefined) {
		const copy = String(copyCount++);
		copyFileSync(place, path.join(storage, copy));
		note({event: 'file', ino: statSync(place).ino, copy});
	}
};

/** Before each change. `half` does half of it, where there is such a thing. */
const step = (half?: () => void): void => {
	if (existsSync(killFile)) {
		kill = JSON.parse(readFileSync(killFile, 'utf8')) as KillAtStep;
		stepCount = 0;
		rmSync(killFile);
	}

	stepCount++;
	if (stepCount === kill?.step) {
		if (kill.inTheMiddle) {
			half?.();
		}

		process.kill(process.pid, 'SIGKILL');
	}
};

const {open, rename, unlink, rm, readFile} = fs;
Object.assign(fs, {
	async open(place: string, flags?: string, mode?: number) {
		const isNew = isInside(place) && /[wa]/.test(flags ?? 'r');
		if (isNew) {
			step();
		}

		const handle = await open(place, flags, mode);
		if (isInside(place)) {
			places.set(handle, place);
			if (isNew) {
				note({event: 'name', name: path.relative(directory, place), ino: statSync(place).ino});
			}
		}

		return handle;
	},
	async rename(from: string, to: string) {
		if (isInside(from)) {
			step();
		}

		await rename(from, to);
		if (isInside(from)) {
			note({event: 'rename', from: path.relative(directory, from), to: path.relative(directory, to)});
		}
	},
	async unlink(place: string) {
		if (isInside(place)) {
			step();
		}

		await unlink(place);
		if (isInside(place)) {
			note({event: 'removal', name: path.relative(directory, place)});
		}
	},
	async rm(place: string, options?: object) {
		if (isInside(place)) {
			step();
		}

		await rm(place, options);
		if (isInside(place)) {
			note({event: 'removal', name: path.relative(directory, place)});
		}
	},
	async readFile(place: string, ...more: never[]) {
		return place === '/proc/sys/kernel/random/boot_id' && bootId !== undefined ? bootId : readFile(place, ...more);
	},
});

const probe = await open('/dev/null');
const prototype = Object.getPrototypeOf(probe) as fs.FileHandle;
await probe.close();
const {write, writeFile} = prototype;
const sync = async function (this: fs.FileHandle): Promise<void> {
	const place = places.get(this);
	if (place === undefined) {
		return;
	}

	// Nothing reaches the disk: what counts is what was asked for.
	step();
	if (statSync(place).isDirectory()) {
		note({event: 'directory', name: path.relative(directory, place)});
	} else {
		keep(place);
	}
};

Object.assign(prototype, {
	sync,
	datasync: sync,
	async write(this: fs.FileHandle, data: Uint8Array, offset: number, length: number, position: number) {
		if (places.has(this)) {
			step(() => void writeSync(this.fd, data, offset, length >>> 1, position));
		}

		return (write as (...argv: unknown[]) => Promise<unknown>).call(this, data, offset, length, position);
	},
	async writeFile(this: fs.FileHandle, text: string) {
		if (places.has(this)) {
			step(() => void writeSync(this.fd, text.slice(0, text.length >>> 1)));
		}

		return writeFile.call(this, text);
	},
});

// What is there at the start is on stable storage: a machine that was dead has written nothing since.
if (storage !== undefined) {
	for (const name of readdirSync(directory, {recursive: true}) as string[]) {
		const place = path.join(directory, name);
		if (statSync(place).isFile()) {
			note({event: 'name', name, ino: statSync(place).ino});
			keep(place);
		}
	}

	note({event: 'directory', name: ''});
	note({event: 'directory', name: 'failed'});
}
