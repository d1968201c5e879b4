/**
Puts each process of the program into one file, for `scripts/package`: node scripts/bundle.js DIRECTORY

Below DIRECTORY come `dist/bin/*.js`, the FUSE addon beside them, a `package.json` that says the version, and in
`LICENSES/npm-packages.txt` what is bundled from the registry, each package with its licence.
*/
import {copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join, resolve} from 'node:path';
import process from 'node:process';
import {build} from 'esbuild';

const root = resolve(import.meta.dirname, '..');
const target = resolve(process.argv[2]);

/**
The addon's own loader tries prebuilds in turn, and asks whether the host is an Alpine. Ours is always the same one:
for the C library and the libfuse3.so.3 that are packed with it.
*/
const fuseAddon = {
	name: 'fuse-addon',
	setup(bundler) {
		bundler.onLoad({filter: /fuse-native\/lib\/native-binding\.js$/}, () => ({
			loader: 'js',
			contents: 'exports.loadNativeBinding = () => require("./fuse.node")',
		}));
		bundler.onResolve({filter: /^\.\/fuse\.node$/}, ({path}) => ({path, external: true}));
	},
};

const outdir = join(target, 'dist', 'bin');
const {metafile} = await build({
	entryPoints: ['driver', 'daemon', 'pnx-volume'].map(name => join(root, 'src', 'bin', `${name}.ts`)),
	outdir,
	absWorkingDir: root,
	plugins: [fuseAddon],
	bundle: true,
	platform: 'node',
	target: 'node24',
	format: 'esm',
	// The AWS SDK has both kinds of modules; from ECMAScript's the bundler leaves out what nobody uses.
	mainFields: ['module', 'main'],
	// Names stay as they are: stack traces in a node's log must be readable without source maps.
	minifySyntax: true,
	minifyWhitespace: true,
	legalComments: 'none',
	metafile: true,
	logLevel: 'warning',
	// What CommonJS modules among them expect to find.
	banner: {
		js: "import {createRequire as createRequireOfBundle} from 'node:module'; const require = createRequireOfBundle(import.meta.url);",
	},
	define: {__dirname: 'import.meta.dirname', __filename: 'import.meta.filename'},
});

const requireFromRoot = createRequire(join(root, 'package.json'));
const addon = `fuse-napi.abi${process.versions.modules}.node`;
copyFileSync(
	join(dirname(requireFromRoot.resolve('fuse-native')), 'prebuilds', `linux-${process.arch}`, addon),
	join(outdir, 'fuse.node'),
);

const {name, version, license, type} = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
writeFileSync(join(target, 'package.json'), `${JSON.stringify({name, version, license, type}, undefined, '\t')}\n`);

/** The directory of the package that a bundled file belongs to: the innermost below a `node_modules`. */
const packageDirectoryOf = path => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];

const directories = [
	...new Set(
		Object.values(metafile.outputs)
			.flatMap(({inputs}) => Object.keys(inputs))
			.map(path => packageDirectoryOf(path)),
	),
]
	.filter(directory => directory !== undefined)
	.sort();
const describe = directory => {
	const about = JSON.parse(readFileSync(join(root, directory, 'package.json'), 'utf8'));
	const file = readdirSync(join(root, directory)).find(entry => /^licen[cs]e/i.test(entry));
	const text =
		file === undefined
			? 'The package has no file with the text of its licence.'
			: readFileSync(join(root, directory, file), 'utf8').trim();
	return `${about.name} ${about.version} (${about.license})\n\n${text}\n`;
};

mkdirSync(join(target, 'LICENSES'), {recursive: true});
writeFileSync(
	join(target, 'LICENSES', 'npm-packages.txt'),
	directories.map(directory => describe(directory)).join(`\n${'-'.repeat(80)}\n\n`),
);
