/** What can be said of the image without building it. `scripts/image-check` builds it. */
import {execFile} from 'node:child_process';
import {existsSync, readdirSync, readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {promisify} from 'node:util';
import test from 'ava';
import {isInContext, parseCopy, parseDockerfile} from './support/dockerfile.ts';
import {repository} from '../manifests/support/manifests.ts';

const run = promisify(execFile);
const read = (path: string): string => readFileSync(join(repository, path), 'utf8');
const {stages} = parseDockerfile(read('Dockerfile'));
const {version, license, dependencies} = JSON.parse(read('package.json')) as {
	version: string;
	license: string;
	dependencies: {node: string};
};
const copies = stages.flatMap(({instructions}) =>
	instructions.filter(({name}) => name === 'COPY').map(({text}) => parseCopy(text)),
);

/** The files below a path of the repository. */
const filesBelow = (path: string): string[] =>
	statSync(join(repository, path)).isFile()
		? [path]
		: readdirSync(join(repository, path)).flatMap(name => filesBelow(join(path, name)));

test('every stage of the Dockerfile has a name, and takes files only from the repository or from an earlier stage', t => {
	t.deepEqual(
		stages.map(({name}) => name),
		['build', 'image'],
	);
	t.deepEqual(
		copies.flatMap(({from}) => from ?? []),
		['build'],
	);
	const ignore = read('.dockerignore');
	for (const source of copies.filter(({from}) => from === undefined).flatMap(({sources}) => sources)) {
		t.true(existsSync(join(repository, source)), source);
		t.true(isInContext(ignore, source), `.dockerignore leaves out ${source}`);
	}
});

test('nothing but what the Dockerfile copies is sent to the builder', t => {
	const kept = read('.dockerignore')
		.split('\n')
		.filter(line => line.startsWith('!'))
		.map(line => line.slice(1));
	t.deepEqual(
		kept.toSorted(),
		copies
			.filter(({from}) => from === undefined)
			.flatMap(({sources}) => sources)
			.toSorted(),
	);
	for (const path of ['node_modules', '.git', '.env', 'test', 'dist']) {
		t.false(isInContext(read('.dockerignore'), path), path);
	}
});

test('every file of the repository that the package script and its bundler read is sent to the builder', t => {
	const ignore = read('.dockerignore');
	const programs = `${read('scripts/package')}${read('scripts/bundle.js')}`.replaceAll(
		/^\s*(?:#|\/\*|\*|\/\/).*$/gm,
		'',
	);
	const named = [
		...programs.matchAll(
			/(?<=[\s"'])(?:scripts\/[\w.-]+|driver\/[\w.-]+|LICENSE|package(?:-lock)?\.json|tsconfig\.json)(?=[\s"'])/g,
		),
	].map(([path]) => path);
	t.true(named.length > 3);
	t.deepEqual(
		[...new Set(named)].filter(path => existsSync(join(repository, path)) && !isInContext(ignore, path)),
		[],
	);
	t.deepEqual(
		filesBelow('src').filter(path => !isInContext(ignore, path)),
		[],
	);
});

test('the image is built with the major version of Node.js that is pinned, and says the version and licence of package.json', t => {
	const [build, image] = stages;
	t.is(build?.image, `docker.io/library/node:${dependencies.node.split('.')[0]}-bookworm-slim`);
	t.is(image?.image, 'docker.io/library/debian:bookworm-slim');
	const labels = new Map(
		image?.instructions
			.filter(({name}) => name === 'LABEL')
			.flatMap(({text}) =>
				[...text.matchAll(/([\w.-]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value] as const),
			),
	);
	t.is(labels.get('org.opencontainers.image.version'), version);
	t.is(labels.get('org.opencontainers.image.licenses'), license);
});

test('the image starts the command line of the packaged tree, as its agent if nothing else is said', async t => {
	const instructions = stages.at(-1)?.instructions ?? [];
	const jsonOf = (name: string): string[] =>
		JSON.parse(instructions.find(instruction => instruction.name === name)?.text ?? '[]') as string[];
	const [, target] = /^--from=build \S+ (\S+)$/.exec(instructions.find(({name}) => name === 'COPY')?.text ?? '') ?? [];
	t.deepEqual(jsonOf('ENTRYPOINT'), [`${target}/bin/pnx-volume`]);
	const {stdout} = await run('node', [join(repository, 'dist', 'bin', 'pnx-volume.js'), '--help']);
	t.true(stdout.includes(`pnx-volume ${jsonOf('CMD')[0]} `), stdout);
});
