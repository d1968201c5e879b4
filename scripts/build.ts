/**
Compiles src/ while programs run from the result: `node scripts/build.ts [DIRECTORY]`, by default into dist/.

The compiler writes into a new directory beside DIRECTORY. Then each file that differs takes its place by a rename, and
files that the source no longer has are removed. So no file is missing or half-written at any moment, a build that fails
changes nothing, and a second build of the same source changes nothing either.
*/
import {execFileSync} from 'node:child_process';
import {
	chmodSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
} from 'node:fs';
import {dirname, join, relative, resolve} from 'node:path';
import process from 'node:process';

const root = resolve(import.meta.dirname, '..');

const listFiles = (directory: string): string[] =>
	existsSync(directory)
		? readdirSync(directory, {recursive: true, withFileTypes: true})
				.filter(entry => !entry.isDirectory())
				.map(entry => relative(directory, join(entry.parentPath, entry.name)))
		: [];

/** The compiler gives no file the run bit, and npm sets it only when it installs a package. */
const markPrograms = (directory: string): void => {
	for (const path of listFiles(directory).map(name => join(directory, name))) {
		chmodSync(path, readFileSync(path).subarray(0, 2).toString() === '#!' ? 0o755 : 0o644);
	}
};

const isSameFile = (one: string, other: string): boolean =>
	existsSync(other) && statSync(one).mode === statSync(other).mode && readFileSync(one).equals(readFileSync(other));

const replaceFiles = (source: string, target: string): void => {
	const names = listFiles(source);
	for (const name of names.filter(file => !isSameFile(join(source, file), join(target, file)))) {
		mkdirSync(dirname(join(target, name)), {recursive: true});
		renameSync(join(source, name), join(target, name));
	}

	for (const name of listFiles(target).filter(file => !names.includes(file))) {
		rmSync(join(target, name));
	}
};

const target = resolve(process.argv[2] ?? join(root, 'dist'));
mkdirSync(dirname(target), {recursive: true});
// On the file system of the target, where a rename is possible, and as deep as that, for the paths in source maps.
const fresh = mkdtempSync(`${target}.`);
try {
	const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
	const argv = [compiler, '--project', join(root, 'tsconfig.json'), '--outDir', fresh];
	execFileSync(process.execPath, argv, {stdio: 'inherit'});
	markPrograms(fresh);
	replaceFiles(fresh, target);
} catch (error) {
	// The compiler has said what is wrong; anything else is a failure of this program.
	if (!(error instanceof Error && 'status' in error)) {
		throw error;
	}

	process.exitCode = 1;
} finally {
	rmSync(fresh, {recursive: true, force: true});
}
