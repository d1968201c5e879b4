import test, {type ExecutionContext} from 'ava';
import {errnoNameOf} from '../../../src/fuse/errno.ts';
import {describeTree} from './support/compare-file-systems.ts';
import {type OpenPair, nextOperation} from './support/random-operations.ts';
import {type RandomSource, createRandomSource, testSeed} from '../../support/random-source.ts';
import {startNodes, type VolumeNode} from '../../support/volume-nodes.ts';

const seed = testSeed();
const operationCount = Number(process.env['PNX_VOLUME_TEST_OPERATIONS'] ?? 120);

/**
Nobody can say what the outcome is; but it must be the same for all nodes, nothing may be left over, and no failure
may be one of ours.
*/
const runManyAtOnce = async (
	t: ExecutionContext,
	options: {seed: number; isVersioned: boolean; durability: string},
): Promise<void> => {
	const {a, b, passMs, start} = await startNodes(t, {
		isVersioned: options.isVersioned,
		options: {durability: options.durability, 'metadata-ttl': '0s'},
	});
	for (const {store} of [a, b]) {
		store.inject({delayMs: 1});
	}

	// Each worker has a source of its own: what it does must not depend on which one comes first.
	await Promise.all(
		Array.from({length: 10}, async (_, worker) =>
			work(t, worker < 5 ? a : b, createRandomSource(options.seed * 10 + worker)),
		),
	);
	for (const {store} of [a, b]) {
		store.heal();
	}

	passMs(60_000);
	await Promise.all([a, b].map(async ({fileSystem}) => fileSystem.drain({signal: AbortSignal.timeout(100_000)})));
	passMs(60_000);
	const third = await start();
	const expected = await describeTree(third.fileSystem);
	for (const {fileSystem} of [a, b]) {
		t.deepEqual(await describeTree(fileSystem), expected, `seed ${options.seed}`);
		const {openHandles, dirtyBytes, uploadsPending, stagingBytes} = fileSystem.status();
		t.deepEqual(
			{openHandles, dirtyBytes, uploadsPending, stagingBytes},
			{openHandles: 0, dirtyBytes: 0, uploadsPending: 0, stagingBytes: 0},
			`seed ${options.seed}`,
		);
	}
};

const work = async (t: ExecutionContext, {fileSystem, store}: VolumeNode, random: RandomSource): Promise<void> => {
	let open: OpenPair[] = [];
	for (let count = 0; count < operationCount; count++) {
		if (random.chance(0.03)) {
			store.inject({
				error: random.pick(['unavailable', 'throttled', 'accessDenied']),
				when: random.pick(['before', 'after']),
				countMax: 1 + random.below(3),
			});
		}

		const operation = await attempt(t, 'looking around', async () => nextOperation(random, {model: fileSystem, open}));
		if (operation === undefined) {
			continue;
		}

		const value = await attempt(t, operation.name, async () => operation.perform(fileSystem, pair => pair.subject));
		if (operation.opens !== undefined && typeof value === 'number') {
			open.push({subject: value, model: value, flags: operation.opens.flags, openedAs: operation.opens.path});
		}

		if (operation.closes !== undefined) {
			await fileSystem.release(operation.closes.subject);
			open = open.filter(pair => pair !== operation.closes);
		}
	}

	for (const {subject} of open) {
		await attempt(t, 'close', async () => fileSystem.flush(subject));
		await fileSystem.release(subject);
	}
};

const attempt = async <Result>(
	t: ExecutionContext,
	name: string,
	task: () => Promise<Result>,
): Promise<Result | undefined> => {
	try {
		return await task();
	} catch (error) {
		if (errnoNameOf(error) === undefined) {
			t.log(name, error);
			t.fail(`${name} failed with what is no failure of a file system: ${String(error)}`);
		}

		return undefined;
	}
};

for (const [index, {isVersioned, durability}] of [
	{isVersioned: false, durability: 'close'},
	{isVersioned: true, durability: 'journal'},
].entries()) {
	test(`many operations at once on two nodes, with failures, end in one state without leftovers, ${isVersioned ? 'versioned' : 'unversioned'}, durability ${durability}`, async t => {
		t.timeout(600_000);
		t.log(`PNX_VOLUME_TEST_SEED=${seed}`);
		await runManyAtOnce(t, {seed: seed + index, isVersioned, durability});
	});
}
