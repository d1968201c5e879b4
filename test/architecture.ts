/** The rules of the code base that no compiler and no linter holds: who may import whom, sizes, names. */
import {readdirSync, readFileSync} from 'node:fs';
import {builtinModules} from 'node:module';
import {dirname, join, relative} from 'node:path';
import test from 'ava';
import ts from 'typescript';

const root = join(import.meta.dirname, '..');

type Allowed = {readonly folders: readonly string[]; readonly packages: readonly string[]};

const quotedNames = (cell: string): string[] => [...cell.matchAll(/`([^`/]+)\/?`/g)].map(([, name = '']) => name);

/**
What the files of each folder of `src/` may import, as the table in docs/ARCHITECTURE.md says it. A row may stand for
several folders. Its third cell names folders in code quotes, or says "anything", "anything but `bin`", "all below
it", or "`node` and what it may"; its fourth cell lists packages of the registry, or says "none".
*/
const readImportTable = (document: string): Readonly<Record<string, Allowed>> => {
	const [, table = ''] = /^\| folder of `src\/` \|.*\n\|[-|]+\|\n((?:\|.*\n)+)/m.exec(document) ?? [];
	const rows = table
		.trim()
		.split('\n')
		.map(line => line.split('|').map(cell => cell.trim()))
		.map(([, names = '', , folders = '', packages = '']) => ({names: quotedNames(names), folders, packages}));
	const all = rows.flatMap(({names}) => names);
	const foldersOf = (cell: string, index: number): string[] => {
		const named = quotedNames(cell);
		if (cell.startsWith('anything')) {
			return all.filter(name => !named.includes(name));
		}

		const below = cell.includes('all below it') ? rows.slice(index + 1).flatMap(({names}) => names) : [];
		const throughOthers = cell.includes('and what it may') ? named.flatMap(name => foldersOfRowOf(name)) : [];
		return [...named, ...below, ...throughOthers];
	};
	const foldersOfRowOf = (name: string): string[] => {
		const index = rows.findIndex(({names}) => names.includes(name));
		return index === -1 ? [] : foldersOf(rows[index]!.folders, index); // The index was found.
	};
	return Object.fromEntries(
		rows.flatMap(({names, folders, packages}, index) => {
			const allowed = {
				folders: foldersOf(folders, index),
				packages: packages === 'none' ? [] : packages.split(/,\s*/).map(name => name.replace(/\*$/, '')),
			};
			return names.map(name => [name, allowed]);
		}),
	);
};

const importTable = readImportTable(readFileSync(join(root, 'docs/ARCHITECTURE.md'), 'utf8'));

/** Imports beyond the table, each with its reason. */
const importExceptions: Readonly<Record<string, string>> = {
	'src/node/launch/daemon-protocol.ts -> src/filesystem/filesystem.ts':
		'the status of a daemon contains that of its file system; a type only',
};

/** Implementations of interfaces: only what puts a process together may name them. */
const implementations: readonly string[] = [
	'src/store/s3-object-store.ts',
	'src/cache/disk-block-cache.ts',
	'src/fuse/fuse-mount.ts',
];

/** Files of `src/` and `bench/` over the limit, each with its reason. */
const sizeExceptions: Readonly<Record<string, string>> = {};

/** Test files outside test/end-to-end that stand at no path of `src/`, each with its reason. */
const testExceptions: Readonly<Record<string, string>> = {
	'test/architecture.ts': 'holds docs/ARCHITECTURE.md and the whole tree',
	'test/readme.ts': 'holds README.md',
	'test/docs/operations.ts': 'holds docs/OPERATIONS.md',
	'test/docs/policy.ts': 'holds docs/POLICY.md',
	'test/scripts/build.ts': 'tests scripts/build.ts',
};

/** Folders below test/ whose files are no tests; package.json tells ava the same. */
const supportFolders = ['support', 'doubles'];

/** Lists for `npm run test:mutants`: no tests either. */
const mutantFolder = 'test/mutants';

/** The folders of `src/node/`, each below those that follow; the files beside them are below all of them. */
const nodeFolders: readonly string[] = ['', 'host', 'mounts', 'launch', 'volumes', 'calls'];

/** What the driver loads is read and compiled at each start of a pod. */
const driverFileCountMax = 70;

/** Functions of `src/` and `bench/` over the limit, each with its reason. */
const functionExceptions: Readonly<Record<string, string>> = {};

const lineCountMax = {src: 345, test: 650};
const functionLineCountMax = 60;
const bannedNames = /^(?:utils?|helpers?|common|types|misc|index|.*-?managers?)$/;

type SourceFile = {readonly path: string; readonly folder: string; readonly text: string};
type Import = {
	readonly from: SourceFile;
	readonly specifier: string;
	/** Of a file of ours. */
	readonly path: string | undefined;
	/** Static, and of more than types. */
	readonly isLoaded: boolean;
};

const readSources = (top: 'bench' | 'src' | 'test'): SourceFile[] =>
	readdirSync(join(root, top), {recursive: true, withFileTypes: true})
		.filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
		.map(entry => {
			const path = relative(root, join(entry.parentPath, entry.name));
			return {path, folder: path.split('/')[1] ?? '', text: readFileSync(join(root, path), 'utf8')};
		});

/** Static imports, re-exports and dynamic imports of a literal, also of types. */
const importPattern =
	/^\s*(?:import|export)\b[^;'"]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;

const importsOf = (from: SourceFile): Import[] =>
	[...from.text.matchAll(importPattern)].map(match => {
		const specifier = match[1] ?? match[2] ?? match[3] ?? '';
		return {
			from,
			specifier,
			path: specifier.startsWith('.') ? relative(root, join(root, dirname(from.path), specifier)) : undefined,
			isLoaded: match[3] === undefined && !/^\s*(?:import|export)\s+type\b/.test(match[0]),
		};
	});

const sources = readSources('src');
const tests = readSources('test');
const benchmarks = readSources('bench');
const imports = sources.flatMap(file => importsOf(file));
const folderOf = (path: string): string => path.split('/')[1] ?? '';

/** What each file loads as it starts: neither types nor what it imports later. */
const valueImports: ReadonlyMap<string, readonly string[]> = new Map(
	sources.map(file => [
		file.path,
		imports.flatMap(({from, path, isLoaded}) => (from === file && path !== undefined && isLoaded ? [path] : [])),
	]),
);

/** All files that a file loads, itself only if it is on a circle. */
const reachedFrom = (start: string): Set<string> => {
	const reached = new Set<string>();
	const waiting = [start];
	for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
		for (const next of valueImports.get(path) ?? []) {
			if (!reached.has(next)) {
				reached.add(next);
				waiting.push(next);
			}
		}
	}

	return reached;
};

test('the import table has every folder of src and no others', t => {
	const folders = readdirSync(join(root, 'src'), {withFileTypes: true});
	t.deepEqual(
		folders.filter(entry => !entry.isDirectory()).map(entry => entry.name),
		[],
		'Files belong into a folder',
	);
	t.deepEqual(
		Object.keys(importTable).filter(folder => !folders.some(entry => entry.name === folder)),
		[],
	);
	t.deepEqual(
		folders.filter(entry => importTable[entry.name] === undefined).map(entry => entry.name),
		[],
	);
	for (const [folder, allowed] of Object.entries(importTable)) {
		t.deepEqual(
			allowed.folders.filter(name => importTable[name] === undefined),
			[],
			`The row of ${folder}/ names folders that have a row`,
		);
	}
});

test('the import table is read from a document in each form that a row may have', t => {
	const document = [
		'| folder of `src/` | holds | may import | third-party |',
		'|---|---|---|---|',
		'| `bin/` | processes | anything; nothing imports it | yargs |',
		'| `cli/` | commands | anything but `bin` | yargs |',
		'| `daemon/` | the daemon | all below it | none |',
		'| `healing/`, `install/` | the node | `node` and what it may | none |',
		'| `node/` | mounts | `model` | none |',
		'| `store/` | S3 | `model` (its errors) | @aws-sdk/*, @smithy/* |',
		'| `model/` | rules | none | none |',
		'',
	].join('\n');
	const table = readImportTable(document);
	const rest = ['healing', 'install', 'node', 'store', 'model'];
	t.deepEqual(table, {
		bin: {folders: ['bin', 'cli', 'daemon', ...rest], packages: ['yargs']},
		cli: {folders: ['cli', 'daemon', ...rest], packages: ['yargs']},
		daemon: {folders: rest, packages: []},
		healing: {folders: ['node', 'model'], packages: []},
		install: {folders: ['node', 'model'], packages: []},
		node: {folders: ['model'], packages: []},
		store: {folders: ['model'], packages: ['@aws-sdk/', '@smithy/']},
		model: {folders: [], packages: []},
	});
});

test('the files of a folder import only what the table allows', t => {
	t.true(imports.length > 100, 'The expression for imports finds them');
	const used = new Set<string>();
	const wrong = imports.filter(({from, path}) => {
		if (path === undefined || folderOf(path) === from.folder) {
			return false;
		}

		const allowed = importTable[from.folder]?.folders ?? [];
		const name = `${from.path} -> ${path}`;
		used.add(name);
		return path.startsWith('src/') && importExceptions[name] === undefined && !allowed.includes(folderOf(path));
	});
	t.deepEqual(
		wrong.map(({from, path}) => `${from.path} -> ${path}`),
		[],
	);
	t.deepEqual(
		Object.keys(importExceptions).filter(name => !used.has(name)),
		[],
		'Exceptions that nobody needs any more',
	);
});

test('the folders of node import only what is below them', t => {
	const levelOf = (path: string): number => nodeFolders.indexOf(path.split('/').slice(2, -1).join('/'));
	const files = sources.filter(file => file.folder === 'node');
	t.deepEqual(
		files.filter(file => levelOf(file.path) === -1).map(file => file.path),
		[],
		'A folder that the order lacks',
	);
	t.deepEqual(
		imports
			.filter(({from, path}) => from.folder === 'node' && path?.startsWith('src/node/') === true)
			.filter(({from, path = ''}) => levelOf(path) > levelOf(from.path))
			.map(({from, path}) => `${from.path} -> ${path}`),
		[],
	);
});

test('the source imports nothing from the tests or from anywhere else', t => {
	t.deepEqual(
		imports
			.filter(({path}) => path !== undefined && !path.startsWith('src/'))
			.map(({from, specifier}) => `${from.path} -> ${specifier}`),
		[],
	);
});

test('nothing imports bin, and only bin imports cli', t => {
	const wrong = imports.filter(
		({from, path}) =>
			path !== undefined &&
			(path.startsWith('src/bin/') || (path.startsWith('src/cli/') && !['bin', 'cli'].includes(from.folder))),
	);
	t.deepEqual(
		wrong.map(({from, path}) => `${from.path} -> ${path}`),
		[],
	);
});

test('no file imports itself through others', t => {
	t.deepEqual(
		[...valueImports.keys()].filter(path => reachedFrom(path).has(path)),
		[],
	);
});

test('the driver loads little: no package, no logger, no S3', t => {
	const loaded = ['src/bin/driver.ts', ...reachedFrom('src/bin/driver.ts')];
	t.true(loaded.length <= driverFileCountMax, `${loaded.length} files`);
	t.deepEqual([...new Set(loaded.map(path => folderOf(path)))].sort(), [
		'bin',
		'flexvolume',
		'model',
		'node',
		'policy',
	]);
	const packages = imports.filter(
		({from, specifier, path}) => loaded.includes(from.path) && path === undefined && !specifier.startsWith('node:'),
	);
	t.deepEqual(
		packages.map(({from, specifier}) => `${from.path} -> ${specifier}`),
		[],
	);
});

test('implementations are named only where a process is put together', t => {
	const wrong = imports.filter(
		({from, path}) =>
			path !== undefined &&
			implementations.includes(path) &&
			!['bin', 'cli', 'daemon', 'doctor', folderOf(path)].includes(from.folder),
	);
	t.deepEqual(
		wrong.map(({from, path}) => `${from.path} -> ${path}`),
		[],
	);
	t.deepEqual(
		implementations.filter(path => !sources.some(file => file.path === path)),
		[],
		'Files that are gone',
	);
});

test('packages of the registry are imported only in the folders that wrap them', t => {
	const wrong = imports.filter(({from, specifier, path}) => {
		if (path !== undefined || specifier.startsWith('node:')) {
			return false;
		}

		const allowed = importTable[from.folder]?.packages ?? [];
		return !allowed.some(name => specifier === name || specifier.startsWith(name.endsWith('/') ? name : `${name}/`));
	});
	t.deepEqual(
		wrong.map(({from, specifier}) => `${from.path} -> ${specifier}`),
		[],
	);
});

test('built-in modules are imported with the prefix node:', t => {
	const bare = new Set(builtinModules.filter(name => !name.startsWith('node:')));
	const wrong = [...imports, ...tests.flatMap(file => importsOf(file))].filter(({specifier}) => bare.has(specifier));
	t.deepEqual(
		wrong.map(({from, specifier}) => `${from.path} -> ${specifier}`),
		[],
	);
});

test('the model does no input or output and reads no clock', t => {
	const model = sources.filter(file => file.folder === 'model');
	t.deepEqual(
		model
			.flatMap(file => importsOf(file))
			.filter(({specifier}) => specifier.startsWith('node:') && specifier !== 'node:assert/strict')
			.map(({from}) => from.path),
		[],
	);
	t.deepEqual(
		model
			.filter(file => /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bMath\.random\(|\bprocess\./.test(file.text))
			.map(file => file.path),
		[],
	);
});

test('only the FUSE layer has errno numbers', t => {
	const wrong = sources.filter(file => file.folder !== 'fuse' && /constants\.errno|\bFuse\.E[A-Z]+\b/.test(file.text));
	t.deepEqual(
		wrong.map(file => file.path),
		[],
	);
});

test('files are short', t => {
	const lineCountOf = (file: SourceFile): number => file.text.split('\n').length - 1;
	t.deepEqual(
		[...sources, ...benchmarks]
			.filter(file => lineCountOf(file) > lineCountMax.src && sizeExceptions[file.path] === undefined)
			.map(file => `${file.path}: ${lineCountOf(file)}`),
		[],
	);
	t.deepEqual(
		tests.filter(file => lineCountOf(file) > lineCountMax.test).map(file => `${file.path}: ${lineCountOf(file)}`),
		[],
	);
	const unneeded = Object.keys(sizeExceptions).filter(
		path => !sources.some(file => file.path === path && lineCountOf(file) > lineCountMax.src),
	);
	t.deepEqual(unneeded, [], 'Exceptions that nobody needs any more');
});

/** Every function with a body, by the name that it is declared or assigned under. */
const functionsOf = ({path, text}: SourceFile): Array<{name: string; lineCount: number}> => {
	const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
	const lineAt = (position: number): number => source.getLineAndCharacterOfPosition(position).line;
	const found: Array<{name: string; lineCount: number}> = [];
	const visit = (node: ts.Node): void => {
		if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
			const named = node.name ?? ('name' in node.parent ? node.parent.name : undefined);
			const lineCount = lineAt(node.end) - lineAt(node.getStart()) + 1;
			found.push({name: `${path}: ${named?.getText() ?? 'without a name'}`, lineCount});
		}

		ts.forEachChild(node, visit);
	};

	visit(source);
	return found;
};

test('functions fit a screen', t => {
	const functions = [...sources, ...benchmarks].flatMap(file => functionsOf(file));
	t.true(functions.length > 1000, 'The parser finds them');
	const long = functions.filter(({lineCount}) => lineCount > functionLineCountMax);
	t.deepEqual(
		long.filter(({name}) => functionExceptions[name] === undefined).map(({name, lineCount}) => `${name}: ${lineCount}`),
		[],
	);
	t.deepEqual(
		Object.keys(functionExceptions).filter(name => !long.some(each => each.name === name)),
		[],
		'Exceptions that nobody needs any more',
	);
});

test('files are named after their one idea, in kebab-case', t => {
	for (const {path} of [...sources, ...tests, ...benchmarks]) {
		for (const part of path.replace(/\.ts$/, '').split('/').slice(1)) {
			t.regex(part, /^[a-z\d]+(?:-[a-z\d]+)*$/, path);
			t.notRegex(part, bannedNames, path);
		}
	}
});

test('a test stands at the path of its source, or follows a journey in test/end-to-end', t => {
	const {ava} = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {ava: {files: string[]}};
	t.deepEqual(ava.files, [
		'test/**/*.ts',
		...supportFolders.map(folder => `!test/**/${folder}/**`),
		`!${mutantFolder}/**`,
	]);
	const mirrored = tests
		.map(({path}) => path)
		.filter(path => !['test/end-to-end', mutantFolder].some(folder => path.startsWith(`${folder}/`)))
		.filter(path => !supportFolders.some(name => path.includes(`/${name}/`)));
	// `test/bench/` mirrors `bench/`.
	const mirrors = [...sources, ...benchmarks].flatMap(({path}) => [path, `${dirname(path)}.ts`]);
	const places = new Set(mirrors.map(path => path.replace(/^src\//, '')));
	const misplaced = mirrored.filter(path => !places.has(path.replace(/^test\//, '')));
	t.deepEqual(misplaced.toSorted(), Object.keys(testExceptions).toSorted());
});

test('there are no default exports, no enums and no empty catch blocks', t => {
	const all = [...sources, ...tests, ...benchmarks];
	t.deepEqual(
		all.filter(file => /^export default\b/m.test(file.text)).map(file => file.path),
		[],
	);
	t.deepEqual(
		all.filter(file => /^(?:export )?(?:const )?enum\b/m.test(file.text)).map(file => file.path),
		[],
	);
	t.deepEqual(
		sources.filter(file => /catch(?:\s*\([^)]*\))?\s*\{\s*\}/.test(file.text)).map(file => file.path),
		[],
	);
});
