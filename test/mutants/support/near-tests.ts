import {existsSync, readFileSync, readdirSync} from 'node:fs';
import {dirname, join} from 'node:path';

/** Journeys, without a kernel, that hold most of a folder of `src/`. */
const journeys: Readonly<Record<string, readonly string[]>> = {
	filesystem: ['test/end-to-end/filesystem', 'test/end-to-end/semantics'],
	store: ['test/end-to-end/contract'],
};

/** Whether a file of journeys mounts something, and so needs a minute: these are left out. */
const mounts = (root: string, path: string): boolean =>
	/mounted-nodes\.ts|needs\.ts/.test(readFileSync(join(root, path), 'utf8'));

/**
The test files that are near a source, in groups, the nearest first: the one of the file, the others of its folder, and
the journeys through that.
*/
export const nearTests = (root: string, source: string): string[][] => {
	const own = source.replace(/^src\//, 'test/');
	const folder = dirname(own);
	const area = source.split('/')[1] ?? '';
	const groups = [
		[own],
		[`${folder}.ts`, ...testFilesIn(root, folder)],
		(journeys[area] ?? []).flatMap(path => testFilesIn(root, path)).filter(path => !mounts(root, path)),
	];
	const seen = new Set<string>();
	return groups
		.map(group => group.filter(path => existsSync(join(root, path)) && !seen.has(path) && seen.add(path)))
		.filter(group => group.length > 0);
};

const testFilesIn = (root: string, folder: string): string[] =>
	existsSync(join(root, folder))
		? readdirSync(join(root, folder))
				.filter(name => name.endsWith('.ts'))
				.toSorted()
				.map(name => join(folder, name))
		: [];
