import type {ExecutionContext} from 'ava';
import {errnoNameOf} from '../../../../src/fuse/errno.ts';
import type {FileSystem} from '../../../../src/filesystem/filesystem.ts';
import {parentOf} from '../../../../src/model/object-key.ts';
import {describeTree} from './compare-file-systems.ts';
import {MemoryFileSystem} from '../../../filesystem/doubles/memory-file-system.ts';
import {type OpenPair, type RandomOperation, nextOperation, readRange} from './random-operations.ts';
import {createRandomSource, type RandomSource} from '../../../support/random-source.ts';
import {createStagingDirectory, startNodes, type Nodes, type VolumeNode} from '../../../support/volume-nodes.ts';

type ReferenceRun = {
	readonly seed: number;
	readonly operationCount: number;
	readonly isVersioned: boolean;
	readonly options: Readonly<Record<string, string>>;
};

/** Random operations on a node and on the model, compared after each; another node and restarts come in between. */
export const runAgainstModel = async (t: ExecutionContext, run: ReferenceRun): Promise<void> => {
	const random = createRandomSource(run.seed);
	const nodes = await startNodes(t, {isVersioned: run.isVersioned, options: run.options});
	const state: State = {t, random, nodes, a: nodes.a, model: new MemoryFileSystem(), open: [], log: []};
	const stagingDirectory = await createStagingDirectory(t);
	state.a = await startSlowly(state, stagingDirectory);
	try {
		for (let count = 0; count < run.operationCount; count++) {
			await step(state, stagingDirectory);
			await compare(state);
		}

		await finish(state);
	} catch (error) {
		const shown = state.log.slice(-60).join('\n');
		throw new Error(
			`seed ${run.seed}, ${JSON.stringify({...run.options, isVersioned: run.isVersioned})}: after\n${shown}\n${(error as Error).message}`,
			{cause: error},
		);
	}

	t.pass();
};

type State = {
	readonly t: ExecutionContext;
	readonly random: RandomSource;
	readonly nodes: Nodes;
	a: VolumeNode;
	readonly model: MemoryFileSystem;
	open: OpenPair[];
	readonly log: string[];
};

const step = async (state: State, stagingDirectory: string): Promise<void> => {
	const {random, nodes} = state;
	nodes.passMs(random.pick([0, 0, 100, 2000]));
	if (random.chance(0.02)) {
		await restart(state, stagingDirectory);
	} else if (random.chance(0.12)) {
		await otherNode(state);
	} else {
		const operation = await nextOperation(random, {model: state.model, open: state.open});
		if (operation !== undefined) {
			await perform(state, operation);
		}
	}
};

const perform = async (state: State, operation: RandomOperation): Promise<void> => {
	const {a, model} = state;
	state.log.push(operation.name);
	const [subject, expected] = [
		await outcomeOf(async () => operation.perform(a.fileSystem, pair => pair.subject)),
		await outcomeOf(async () => operation.perform(model, pair => pair.model)),
	];
	if (operation.opens !== undefined && typeof subject.value === 'number' && typeof expected.value === 'number') {
		state.open.push({
			subject: subject.value,
			model: expected.value,
			flags: operation.opens.flags,
			openedAs: operation.opens.path,
		});
		return;
	}

	if (operation.closes !== undefined) {
		state.open = state.open.filter(pair => pair !== operation.closes);
	}

	assertEqual(`${operation.name} answers`, subject.text, expected.text);
};

type Outcome = {readonly text: string; readonly value?: unknown};

const outcomeOf = async (task: () => Promise<unknown>): Promise<Outcome> => {
	try {
		const value = await task();
		return {text: String(value), value};
	} catch (error) {
		const errno = errnoNameOf(error);
		if (errno === undefined) {
			throw error;
		}

		return {text: errno};
	}
};

const assertEqual = (what: string, actual: string, expected: string): void => {
	if (actual !== expected) {
		throw new Error(`${what}:\n  ${actual}\nand the model:\n  ${expected}`);
	}
};

/** The whole tree, and what each open handle shows. */
const compare = async ({a, model, open}: State): Promise<void> => {
	const [actual, expected] = [await describeTree(a.fileSystem), await describeTree(model)];
	assertEqual('the names are', [...actual.keys()].join(' '), [...expected.keys()].join(' '));
	for (const [path, line] of expected) {
		assertEqual(`${path} is`, actual.get(path) ?? '', line);
	}

	for (const pair of open) {
		const sizes = [await a.fileSystem.getattr({handle: pair.subject}), await model.getattr({handle: pair.model})].map(
			stat => `${stat.sizeBytes} bytes ${stat.permissions.toString(8)}`,
		);
		assertEqual(`handle #${pair.subject} (${pair.openedAs}) has`, sizes[0]!, sizes[1]!); // Two were asked for.
		if (pair.flags.read) {
			assertEqual(
				`handle #${pair.subject} (${pair.openedAs}) reads`,
				await readRange(a.fileSystem, pair.subject, 0, 9000),
				await readRange(model, pair.model, 0, 9000),
			);
		}
	}
};

/** A change by another node to a name that is not open here. */
const otherNode = async (state: State): Promise<void> => {
	const {a, model, nodes, random, open} = state;
	const path = random.pick(['a', 'b', 'd/a', 'd/b', 'x/a', 'x']);
	const isThere = (await kindOf(model, path)) !== undefined;
	const isOpen = isThere && open.some(pair => model.isSame({path}, {handle: pair.model}));
	if (isOpen || ((await kindOf(model, parentOf(path))) !== 'directory' && path !== 'x/a')) {
		return;
	}

	await a.fileSystem.drain();
	nodes.passMs(2000);
	const other = nodes.b.fileSystem;
	const data = Buffer.alloc(1 + random.below(3000), 33 + random.below(90));
	const kind = await kindOf(model, path);
	if (path === 'x/a' && (await kindOf(model, 'x')) === undefined) {
		state.log.push('other tool puts x/a');
		await nodes.bucket.put(path, data);
		await model.mkdir('x', 0o755, {uid: 0, gid: 0});
		await writeFile(model, path, data);
	} else if (path === 'x') {
		state.log.push('other node removes x');
		for (const fileSystem of [other, model]) {
			await outcomeOf(async () => fileSystem.unlink('x/a'));
			await outcomeOf(async () => fileSystem.rmdir('x'));
		}
	} else if (kind === 'file' && random.chance(0.3)) {
		state.log.push(`other node unlinks ${path}`);
		await other.unlink(path);
		await model.unlink(path);
	} else if (kind === 'file' || kind === undefined) {
		state.log.push(`other node writes ${path} ${data.length}`);
		await writeFile(other, path, data);
		await writeFile(model, path, data);
	}

	await other.drain();
	nodes.passMs(2000);
};

const writeFile = async (fileSystem: FileSystem, path: string, data: Uint8Array): Promise<void> => {
	const flags = {read: false, write: true, append: false, truncate: true, create: true, exclusive: false};
	const {handle} = await fileSystem.open(path, flags, {permissions: 0o644, caller: {uid: 0, gid: 0}});
	await fileSystem.write(handle, data, 0);
	await fileSystem.flush(handle);
	await fileSystem.release(handle);
};

const kindOf = async (model: FileSystem, path: string): Promise<string | undefined> => {
	const outcome = await outcomeOf(async () => (await model.getattr({path})).kind);
	return outcome.value === undefined ? undefined : outcome.text;
};

/** The process dies after everything was synced, with uploads on their way; the next one takes up its journal. */
const restart = async (state: State, stagingDirectory: string): Promise<void> => {
	const {a, model, open} = state;
	state.log.push('kill and restart');
	for (const pair of open) {
		await a.fileSystem.fsync(pair.subject);
		await model.release(pair.model);
	}

	state.open = [];
	a.store.inject({error: 'unavailable'});
	await a.fileSystem.close();
	state.a = await startSlowly(state, stagingDirectory);
};

/** A node whose uploads take so long that the next operations meet them. */
const startSlowly = async ({nodes, random}: State, stagingDirectory: string): Promise<VolumeNode> => {
	const node = await nodes.start({stagingDirectory});
	node.store.inject({method: ['put', 'copy'], delayMs: random.pick([1, 4, 10])});
	return node;
};

/** Everything is closed and uploaded: a third node shows the same, and nothing is left behind. */
const finish = async (state: State): Promise<void> => {
	const {a, model, nodes} = state;
	for (const pair of state.open) {
		await a.fileSystem.flush(pair.subject);
		await a.fileSystem.release(pair.subject);
		await model.release(pair.model);
	}

	await a.fileSystem.drain();
	const {openHandles, dirtyBytes, uploadsPending, stagingBytes} = a.fileSystem.status();
	assertEqual(
		'what is left',
		JSON.stringify({openHandles, dirtyBytes, uploadsPending, stagingBytes}),
		'{"openHandles":0,"dirtyBytes":0,"uploadsPending":0,"stagingBytes":0}',
	);
	const third = await nodes.start();
	await compare({...state, a: third, open: []});
};
