/** Every manifest is one that Kubernetes takes: by its JSON schemas, by the types of its API, and for kubectl. */
import {execFile} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {promisify} from 'node:util';
import test, {type ExecutionContext} from 'ava';
import {findSchemaErrors, findTypeErrors, isKnownKind} from './support/manifest-schemas.ts';
import {
	examples,
	kubectl,
	kustomizations,
	readExample,
	render,
	renderText,
	repository,
	type Manifest,
} from './support/manifests.ts';
import {testThatNeeds} from '../../support/needs.ts';

const run = promisify(execFile);
const {test: withKubectl} = testThatNeeds(kubectl);

const assertValid = async (t: ExecutionContext, manifests: readonly Manifest[]): Promise<void> => {
	t.true(manifests.length > 0);
	t.deepEqual(
		manifests.filter(manifest => !isKnownKind(manifest)).map(({apiVersion, kind}) => `${apiVersion} ${kind}`),
		[],
		'Kinds that Kubernetes does not have',
	);
	t.deepEqual((await Promise.all(manifests.map(manifest => findSchemaErrors(manifest)))).flat(), []);
	t.deepEqual(findTypeErrors(manifests), []);
};

/** What would be one object of the cluster twice. */
const findDuplicates = (manifests: readonly Manifest[]): string[] => {
	const names = manifests.map(({kind, metadata: {namespace = '', name}}) => `${kind} ${namespace}/${name}`);
	return names.filter((name, index) => names.indexOf(name) !== index);
};

withKubectl('every kustomization renders to manifests that Kubernetes takes', async t => {
	const all: Manifest[] = [];
	for (const directory of kustomizations) {
		const manifests = await render(directory);
		t.deepEqual(findDuplicates(manifests), [], directory);
		all.push(...manifests);
	}

	await assertValid(t, all);
});

test('every example is made of manifests that Kubernetes takes', async t => {
	t.true(examples.length >= 7);
	for (const path of examples) {
		t.deepEqual(findDuplicates(readExample(path)), [], path);
	}

	await assertValid(
		t,
		examples.flatMap(path => readExample(path)),
	);
});

withKubectl('kubectl reads every kustomization and every example', async t => {
	// Without a server: kubectl apply --dry-run=client asks one which kinds there are.
	const read = async (text: string): Promise<string[]> => {
		const call = run('kubectl', ['annotate', '--local', '--dry-run=client', '-o', 'name', '-f', '-', 'read=yes']);
		call.child.stdin?.end(text);
		return (await call).stdout.trim().split('\n');
	};

	for (const directory of kustomizations) {
		t.is((await read(await renderText(directory))).length, (await render(directory)).length, directory);
	}

	for (const path of examples) {
		t.is((await read(readFileSync(join(repository, path), 'utf8'))).length, readExample(path).length, path);
	}
});

test('a field that Kubernetes does not know, or of a wrong type, is found', async t => {
	const pod = (more: object): Manifest => ({
		apiVersion: 'v1',
		kind: 'Pod',
		metadata: {name: 'p'},
		spec: {containers: [{name: 'c', image: 'i', ...more}]},
	});
	t.deepEqual(await findSchemaErrors(pod({})), []);
	t.deepEqual(findTypeErrors([pod({})]), []);
	const [unknownField] = findTypeErrors([pod({}), pod({securityContext: {priviledged: false}})]);
	t.regex(unknownField ?? '', /^Pod p: .*priviledged.* does not exist in type 'ISecurityContext'/);
	t.is((await findSchemaErrors(pod({tty: 'yes'}))).length, 1);
	t.false(isKnownKind({apiVersion: 'v1', kind: 'Pood', metadata: {name: 'p'}}));
});
