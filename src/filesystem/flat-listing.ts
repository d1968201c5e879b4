import {compareKeys, isEntryName, joinPath} from '../model/object-key.ts';
import type {ListedObject, ListPage} from '../store/object-store.ts';

/** What a listing says of a directory. */
export type FlatDirectory = {
	/** Its marker, if it is there. */
	readonly marker: ListedObject | undefined;
	/** Its names, and which of them are directories. */
	readonly names: ReadonlyMap<string, boolean>;
	/** Whether these are all of them. */
	readonly isComplete: boolean;
};

export type FlatListing = {
	/** By path; the listed directory itself is one of them. */
	readonly directories: ReadonlyMap<string, FlatDirectory>;
	/** Objects that are files: nothing lies below a directory of their name. */
	readonly files: readonly ListedObject[];
};

/**
What one page of a listing without a delimiter says of everything below a directory. Keys come in order, so all
is known of names that lie well before the last key of the page. `startAfter`: the page has only keys after that one.
*/
export const readFlatListing = (
	directory: string,
	{objects, continuationToken}: ListPage,
	{startAfter}: {startAfter?: string | undefined} = {},
): FlatListing => {
	const lastKey = continuationToken === undefined ? undefined : objects.at(-1)?.key;
	// Behind a path and everything below it, whose keys begin with the path and a slash, comes the path and a `0`.
	const isPassed = (path: string): boolean => lastKey === undefined || compareKeys(`${path}0`, lastKey) <= 0;
	const directories = new Map<
		string,
		{marker: ListedObject | undefined; names: Map<string, boolean>; isComplete: boolean}
	>();
	const open = (path: string) => {
		let found = directories.get(path);
		if (found === undefined) {
			found = {marker: undefined, names: new Map(), isComplete: isPassed(path)};
			directories.set(path, found);
		}

		return found;
	};

	const files = new Map<string, ListedObject>();
	open(directory);
	for (const object of objects) {
		let parent = directory;
		const components = object.key.slice(directory === '' ? 0 : directory.length + 1).split('/');
		const name = components.pop() ?? '';
		if (!components.every(component => isEntryName(component))) {
			// A key that cannot be a path makes those of its directories visible that can.
			components.length = components.findIndex(component => !isEntryName(component));
		}

		for (const component of components) {
			open(parent).names.set(component, true);
			parent = joinPath(parent, component);
			open(parent);
		}

		if (object.key === `${parent}/`) {
			open(parent).marker = object;
		} else if (isEntryName(name) && object.key === joinPath(parent, name)) {
			files.set(object.key, object);
			open(parent).names.set(name, false);
		}
	}

	for (const path of directories.keys()) {
		files.delete(path);
	}

	forgetBegun(directories, startAfter);
	return {directories, files: [...files.values()].filter(({key}) => isPassed(key))};
};

/** Of a directory with keys before the page, the page has only the last names. */
const forgetBegun = (directories: Map<string, FlatDirectory>, startAfter: string | undefined): void => {
	for (const path of directories.keys()) {
		if (startAfter !== undefined && compareKeys(`${path}/`, startAfter) <= 0) {
			directories.delete(path);
		}
	}
};
