/**
Every example of docs/POLICY.md is a policy, and decides as the table below it says; so is every policy of the
manifests.
*/
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {decideMount} from '../../src/policy/decide-mount.ts';
import {builtInPolicy, parseNodePolicy} from '../../src/policy/node-policy.ts';
import {parseVolumeOptions} from '../../src/model/volume-options.ts';

const root = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(root, 'docs', 'POLICY.md'), 'utf8');
const examples = page
	.split(/^### /m)
	.slice(1)
	.map(section => ({
		title: section.slice(0, section.indexOf('\n')),
		policy: /^```json\n(.*?)^```$/ms.exec(section)?.[1] ?? '',
		rows: section
			.split('\n')
			.filter(line => line.startsWith('| '))
			.slice(1)
			.map(line =>
				line
					.split('|')
					.map(cell => cell.trim())
					.slice(1, -1),
			),
	}));

const resultOf = (policy: string, [namespace = '', options = '', credentials = '']: readonly string[]): string => {
	const values = Object.fromEntries(options.split(' ').map(option => option.split('=') as [string, string]));
	const decision = decideMount(parseNodePolicy(policy), {
		namespace,
		options: parseVolumeOptions(values),
		hasSecret: credentials === 'secret',
	});
	return decision.decision === 'refused' ? 'refused' : decision.rule.ownedBy === undefined ? 'allowed' : 'if its own';
};

test('docs/POLICY.md has examples, each with a table', t => {
	t.true(examples.length >= 5);
	t.true(examples.every(({policy, rows}) => policy !== '' && rows.length >= 4));
});

for (const {title, policy, rows} of examples) {
	test(`the example "${title}" of docs/POLICY.md decides as its table says`, t => {
		t.deepEqual(
			rows.map(row => [...row.slice(0, 3), resultOf(policy, row)]),
			rows,
		);
	});
}

test('docs/POLICY.md quotes a refusal as it is', t => {
	const decision = decideMount(builtInPolicy, {
		namespace: 'web',
		options: parseVolumeOptions({name: 'media', endpoint: 'https://minio.example.com'}),
		hasSecret: false,
	});
	t.is(
		decision.decision === 'refused' && decision.message,
		[...page.matchAll(/^> (.*)$/gm)].map(([, line]) => line).join(' '),
	);
});

test('docs/POLICY.md names every key of a policy', t => {
	const source = readFileSync(join(root, 'src', 'policy', 'node-policy.ts'), 'utf8');
	const keys = [...source.matchAll(/^const \w+Keys = \[(.*)\];$/gm)].flatMap(([, list]) =>
		[...list!.matchAll(/'(\w+)'/g)].map(([, key]) => key!),
	);
	t.true(keys.length >= 9);
	t.deepEqual(
		keys.filter(key => !page.includes(`.${key}\``)),
		[],
	);
});

test('every policy.json of the manifests can be read', t => {
	const paths = readdirSync(join(root, 'daemonset'), {recursive: true, encoding: 'utf8'}).filter(path =>
		/polic.*\.json$/.test(path),
	);
	t.true(paths.length > 0);
	for (const path of paths) {
		t.notThrows(() => parseNodePolicy(readFileSync(join(root, 'daemonset', path), 'utf8')), path);
	}
});
