import fs from 'node:fs/promises';
import test, {type ExecutionContext} from 'ava';
import {syncDirectory} from '../../src/upload/sync-directory.ts';
import {createStagingDirectory, eventually} from '../support/volume-nodes.ts';

/** Every flush of this process: counted, and held until it is let go. */
const holdFlushes = async (t: ExecutionContext, directory: string) => {
	const probe = await fs.open(directory, 'r');
	const prototype = Object.getPrototypeOf(probe) as fs.FileHandle;
	await probe.close();
	const {sync} = prototype;
	const held: Array<() => void> = [];
	prototype.sync = async function (this: fs.FileHandle) {
		const {promise, resolve} = Promise.withResolvers<void>();
		held.push(resolve);
		await promise;
		await sync.call(this);
	};
	t.teardown(() => {
		prototype.sync = sync;
	});
	return held;
};

test.serial(
	'flushes that are asked for together are one, which began after the last of them was asked for',
	async t => {
		const directory = await createStagingDirectory(t);
		const held = await holdFlushes(t, directory);
		const first = syncDirectory(directory);
		await eventually(t, 'the first flush has begun', () => held.length === 1);
		let doneCount = 0;
		const others = Promise.all(
			Array.from({length: 1000}, async () => {
				await syncDirectory(directory);
				doneCount++;
			}),
		);
		held[0]!();
		await first;
		await eventually(t, 'the second flush has begun', () => held.length === 2);
		t.is(doneCount, 0, 'The first one may have begun before they had removed anything');
		held[1]!();
		await others;
		t.is(held.length, 2);
	},
);

test.serial('one that fails is told to those who waited for it, and not to those who come later', async t => {
	const directory = await createStagingDirectory(t);
	const absent = `${directory}/absent`;
	const failures = await Promise.allSettled([syncDirectory(absent), syncDirectory(absent)]);
	t.deepEqual(
		failures.map(({status}) => status),
		['rejected', 'rejected'],
	);
	const held = await holdFlushes(t, directory);
	const first = syncDirectory(directory);
	await eventually(t, 'it has begun', () => held.length === 1);
	held[0]!();
	await t.notThrowsAsync(first);
});
