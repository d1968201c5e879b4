import {existsSync} from 'node:fs';
import {join} from 'node:path';
import ts from 'typescript';
import {repository, type Manifest} from './manifests.ts';

type ModelOf = new (data: unknown) => {validate(): void};

const moduleOf = ({apiVersion, kind}: Manifest): string => `kubernetes-models/${apiVersion}/${kind}`;

/** Whether Kubernetes itself has this kind. */
export const isKnownKind = (manifest: Manifest): boolean =>
	existsSync(join(repository, 'node_modules', `${moduleOf(manifest)}.js`));

/** What the JSON schema of Kubernetes finds wrong with a manifest. Fields that it does not know it leaves alone. */
export const findSchemaErrors = async (manifest: Manifest): Promise<string[]> => {
	const models = (await import(moduleOf(manifest))) as Record<string, ModelOf>;
	try {
		new models[manifest.kind]!(manifest).validate(); // The module is named after what it exports.
		return [];
	} catch (error) {
		return [`${describe(manifest)}: ${error instanceof Error ? error.message : String(error)}`];
	}
};

/**
What the types of the same API find wrong. They refuse what a schema lets pass: a field that does not exist, as an
API server with strict validation does. Each manifest becomes an object literal, in which the compiler allows no
excess properties.
*/
export const findTypeErrors = (manifests: readonly Manifest[]): string[] => {
	const path = join(repository, 'test', 'manifests-of-this-test.ts');
	const text = manifests
		.map((manifest, index) =>
			[
				`import type {I${manifest.kind} as T${index}} from '${moduleOf(manifest)}';`,
				`export const m${index}: T${index} = ${JSON.stringify(manifest)};`,
			].join('\n'),
		)
		.join('\n');
	const options: ts.CompilerOptions = {
		target: ts.ScriptTarget.ES2024,
		module: ts.ModuleKind.NodeNext,
		strict: true,
		exactOptionalPropertyTypes: true,
		noEmit: true,
		skipLibCheck: true,
		types: [],
	};
	const host = ts.createCompilerHost(options);
	const {getSourceFile, fileExists, readFile} = host;
	host.fileExists = name => name === path || fileExists(name);
	host.readFile = name => (name === path ? text : readFile(name));
	host.getSourceFile = (name, ...rest) =>
		name === path ? ts.createSourceFile(name, text, ts.ScriptTarget.ES2024) : getSourceFile(name, ...rest);
	return ts.getPreEmitDiagnostics(ts.createProgram([path], options, host)).map(({file, start, messageText}) => {
		const line = file === undefined || start === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line;
		const manifest = manifests[Math.floor(line / 2)];
		return `${manifest === undefined ? '' : describe(manifest)}: ${ts.flattenDiagnosticMessageText(messageText, '\n').split('\n').at(-1)?.trim() ?? ''}`;
	});
};

const describe = ({kind, metadata: {name}}: Manifest): string => `${kind} ${name}`;
