import {existsSync, lstatSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {copyPolicy, type PolicyCopy} from '../../src/agent/policy-copy.ts';
import {createLocalNode, startPrivateNode} from '../install/support/private-node.ts';

const open = '{"rules": [{"namespaces": ["*"], "withSecret": {"buckets": [{"bucket": "*"}]}}]}';
const closed = '{"rules": []}';

const createPlaces = (t: ExecutionContext): {source: string; target: string; copy: () => Promise<PolicyCopy>} => {
	const {root, directory} = createLocalNode(t);
	const source = join(directory, 'mounted-policy.json');
	const target = join(directory, 'state/policy.json');
	return {source, target, copy: async () => copyPolicy({root, source, target})};
};

test('a valid policy is copied for root alone, again when it changes, and not when it is the same', async t => {
	const {source, target, copy} = createPlaces(t);
	t.deepEqual(await copy(), {outcome: 'same'}, 'There is none, and there was none');
	writeFileSync(source, open);
	t.like(await copy(), {outcome: 'copied', problem: undefined});
	t.is(readFileSync(target, 'utf8'), open);
	t.is(lstatSync(target).mode & 0o777, 0o600);
	const {ino} = lstatSync(target);
	t.like(await copy(), {outcome: 'same', problem: undefined});
	t.is(lstatSync(target).ino, ino);
	writeFileSync(source, closed);
	t.like(await copy(), {outcome: 'copied'});
	t.is(readFileSync(target, 'utf8'), closed);
});

test('a policy that is not valid does not replace one that is, and the problem says what is wrong with it', async t => {
	const {source, target, copy} = createPlaces(t);
	writeFileSync(source, closed);
	await copy();
	for (const text of ['{"rules": [', '{"rulez": []}', '']) {
		writeFileSync(source, text);
		const {outcome, problem} = await copy();
		t.is(outcome, 'kept');
		t.regex(String(problem), /is not valid, so this node keeps the one it had: ./);
		t.is(readFileSync(target, 'utf8'), closed);
	}

	writeFileSync(source, open);
	t.like(await copy(), {outcome: 'copied', problem: undefined});
});

test('on a node that has no policy yet, one that is not valid closes the node instead of leaving it to the built-in one', async t => {
	const {source, target, copy} = createPlaces(t);
	writeFileSync(source, '{"rules": 7}');
	const {outcome, problem} = await copy();
	t.is(outcome, 'copied');
	t.regex(String(problem), /mounts are refused until it is corrected/);
	t.is(readFileSync(target, 'utf8'), '{"rules": 7}');
	t.like(await copy(), {outcome: 'same', problem});
	writeFileSync(source, closed);
	t.like(await copy(), {outcome: 'copied', problem: undefined});
});

test('a policy file that is gone changes nothing on the node, and is reported', async t => {
	const {source, target, copy} = createPlaces(t);
	writeFileSync(source, closed);
	await copy();
	rmSync(source);
	const {outcome, problem} = await copy();
	t.is(outcome, 'kept');
	t.regex(String(problem), /policy file .* is gone; this node keeps its copy\. Restore it/);
	t.true(existsSync(target));
});

test('from a container, the policy lands on the node, in a state directory that is made for root alone', async t => {
	const node = await startPrivateNode(t);
	const source = join(node.directory, '..', `pnx-policy-${node.pid}.json`);
	t.teardown(() => rmSync(source, {force: true}));
	writeFileSync(source, open);
	await copyPolicy({root: node.root, source, target: join(node.directory, 'new/state/policy.json')});
	t.is(readFileSync(join(node.reached, 'new/state/policy.json'), 'utf8'), open);
	t.is(lstatSync(join(node.reached, 'new/state')).mode & 0o777, 0o700);
	t.false(existsSync(join(node.directory, 'new')));
});
