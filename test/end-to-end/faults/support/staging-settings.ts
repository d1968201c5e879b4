import {
	appendFileSync,
	copyFileSync,
	existsSync,
	mkdirSync,
	readFileSync,
	rmSync,
	statSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import {dirname, join} from 'node:path';
import type {RandomSource} from '../../../support/random-source.ts';

/** What `staging-steps.ts` does in a daemon. */
export type StagingSettings = {
	/** The staging directory. */
	readonly directory: string;
	/** When this file is there, it is taken away, and the daemon kills itself as its `KillAtStep` says. */
	readonly killFile: string;
	/** Which run of the kernel the daemon is to believe in. */
	readonly bootId?: string | undefined;
	/** A directory for what stable storage would have. */
	readonly storage?: string | undefined;
};

export type KillAtStep = {
	/** Which change of the staging directory, from now on, counted from 1. */
	readonly step: number;
	/** After half of that change, where it is a write; before it without. */
	readonly inTheMiddle: boolean;
};

/** In the order in which they happened; names are relative to the staging directory. */
export type StorageEvent =
	| {readonly event: 'name'; readonly name: string; readonly ino: number}
	| {readonly event: 'rename'; readonly from: string; readonly to: string}
	| {readonly event: 'removal'; readonly name: string}
	/** A directory was synced: its names are as they are. */
	| {readonly event: 'directory'; readonly name: string}
	/** A file was synced: its bytes are those of the copy. */
	| {readonly event: 'file'; readonly ino: number; readonly copy: string};

type Names = Map<string, number>;

/**
What a machine that died finds in its staging directory. Names that were not synced may be there or not, in the order of
their changes, as on a file system with a journal. Bytes that were not synced are zeros or missing.
*/
export const playLossOfPower = (
	{directory, storage}: {directory: string; storage: string},
	random: RandomSource,
): void => {
	const events = readFileSync(join(storage, 'events'), 'utf8')
		.split('\n')
		.filter(line => line !== '')
		.map(line => JSON.parse(line) as StorageEvent);
	const copies = new Map<number, string>();
	const sizes = new Map<number, number>();
	const present: Names = new Map();
	const safe: Names = new Map();
	let unsafe: StorageEvent[] = [];
	for (const event of events) {
		if (event.event === 'file') {
			copies.set(event.ino, event.copy);
		} else if (event.event === 'directory') {
			// Names of the other directory stay unsafe.
			const isOf = (name: string): boolean => (dirname(name) === '.' ? '' : dirname(name)) === event.name;
			const settled = (change: StorageEvent): boolean => namesOf(change).every(name => isOf(name));
			unsafe.filter(change => settled(change)).forEach(change => applyTo(safe, change));
			unsafe = unsafe.filter(change => !settled(change));
		} else {
			// The number of a file that is gone is used again: the new file has none of its bytes.
			if (event.event === 'name') {
				copies.delete(event.ino);
			}

			applyTo(present, event);
			unsafe.push(event);
		}
	}

	for (const [name, ino] of present) {
		const place = join(directory, name);
		sizes.set(ino, existsSync(place) ? statSync(place).size : 0);
	}

	unsafe.slice(0, random.below(unsafe.length + 1)).forEach(change => applyTo(safe, change));
	rmSync(directory, {recursive: true});
	mkdirSync(directory, {mode: 0o700});
	for (const [name, ino] of safe) {
		const place = join(directory, name);
		mkdirSync(dirname(place), {recursive: true, mode: 0o700});
		const copy = copies.get(ino);
		if (copy === undefined) {
			writeFileSync(place, '');
		} else {
			copyFileSync(join(storage, copy), place);
		}

		// The size may be on the disk although the bytes are not.
		const size = sizes.get(ino) ?? 0;
		if (size > statSync(place).size && random.chance(0.5)) {
			truncateSync(place, size);
		}
	}
};

/** Begins to write down what stable storage has, in a new directory. */
export const createStorage = (storage: string): string => {
	rmSync(storage, {recursive: true, force: true});
	mkdirSync(storage);
	appendFileSync(join(storage, 'events'), '');
	return storage;
};

const namesOf = (change: StorageEvent): string[] =>
	change.event === 'rename' ? [change.from, change.to] : 'name' in change ? [change.name] : [];

const applyTo = (names: Names, change: StorageEvent): void => {
	if (change.event === 'name') {
		names.set(change.name, change.ino);
	} else if (change.event === 'removal') {
		names.delete(change.name);
	} else if (change.event === 'rename' && names.has(change.from)) {
		names.set(change.to, names.get(change.from)!); // It has it.
		names.delete(change.from);
	}
};
