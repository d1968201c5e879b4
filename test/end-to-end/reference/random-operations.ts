import test from 'ava';
import {runAgainstModel} from './support/reference-run.ts';
import {testSeed} from '../../support/random-source.ts';

const seed = testSeed();
const operationCount = Number(process.env['PNX_VOLUME_TEST_OPERATIONS'] ?? 250);

for (const [index, {isVersioned, durability}] of [
	{isVersioned: false, durability: 'close'},
	{isVersioned: true, durability: 'close'},
	{isVersioned: false, durability: 'journal'},
	{isVersioned: true, durability: 'journal'},
].entries()) {
	test(`random operations answer as POSIX says and end in the bucket, ${isVersioned ? 'versioned' : 'unversioned'}, durability ${durability}`, async t => {
		t.log(`PNX_VOLUME_TEST_SEED=${seed} PNX_VOLUME_TEST_OPERATIONS=${operationCount}`);
		await runAgainstModel(t, {seed: seed + index, operationCount, isVersioned, options: {durability}});
	});
}
