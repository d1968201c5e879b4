/** The manifests of `daemonset/` as tests read them: rendered by kubectl, or as the files stand there. */
import {execFile} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {parseAllDocuments} from 'yaml';

export type Manifest = {
	readonly apiVersion: string;
	readonly kind: string;
	readonly metadata: {
		readonly name: string;
		readonly namespace?: string;
		readonly labels?: Readonly<Record<string, string>>;
	};
	readonly [field: string]: unknown;
};

export const repository = join(import.meta.dirname, '..', '..', '..', '..');
const daemonsetDirectory = join(repository, 'daemonset');

/** What can be applied with `kubectl apply -k`: directories, relative to the repository. */
export const kustomizations: readonly string[] = [
	'daemonset',
	'daemonset/base',
	'daemonset/uninstall',
	...readdirSync(join(daemonsetDirectory, 'overlays'))
		.sort()
		.map(name => `daemonset/overlays/${name}`),
];

/** Files for `kubectl apply -f`, relative to the repository. */
export const examples: readonly string[] = readdirSync(join(daemonsetDirectory, 'examples'))
	.filter(name => name.endsWith('.yaml'))
	.sort()
	.map(name => `daemonset/examples/${name}`);

import {type Need} from '../../../support/needs.ts';
import {findProgram} from '../../../support/find-program.ts';

const kubectlPath = findProgram('kubectl');

export const kubectl: Need = {
	what: 'kubectl',
	missing: kubectlPath === undefined ? 'there is no kubectl on PATH' : undefined,
};

const run = promisify(execFile);
const rendered = new Map<string, Promise<string>>();

/** `kubectl kustomize`, once for each directory. */
export const renderText = (directory: string): Promise<string> => {
	let text = rendered.get(directory);
	if (text === undefined) {
		text = run(kubectlPath ?? 'kubectl', ['kustomize', join(repository, directory)]).then(({stdout}) => stdout);
		rendered.set(directory, text);
	}

	return text;
};

export const render = async (directory: string): Promise<Manifest[]> => parseManifests(await renderText(directory));

export const readExample = (path: string): Manifest[] => parseManifests(readFileSync(join(repository, path), 'utf8'));

/** Every document of a YAML text; a mistake in the syntax, a key that is there twice included, throws. */
export const parseManifests = (text: string): Manifest[] =>
	parseAllDocuments(text).map(document => {
		const [error] = [...document.errors, ...document.warnings];
		if (error !== undefined) {
			throw error;
		}

		return document.toJS() as Manifest;
	});

/** The only one of its kind, with this name if one is given. */
export const findOne = (manifests: readonly Manifest[], kind: string, name?: string): Manifest => {
	const found = manifests.filter(
		manifest => manifest.kind === kind && (name === undefined || manifest.metadata.name === name),
	);
	const [only] = found;
	if (only === undefined || found.length > 1) {
		throw new Error(`There are ${found.length} of ${kind} ${name ?? ''}, and not one`);
	}

	return only;
};
