import test from 'ava';
import {startNodes} from '../../support/volume-nodes.ts';

const entryCount = 100_000;
const nameOf = (index: number): string => `file-${index.toString().padStart(6, '0')}`;

test('a listing of 100,000 entries has every entry that stays exactly once, while others come and go on this node and elsewhere', async t => {
	const {bucket, a, b} = await startNodes(t);
	for (let index = 0; index < entryCount; index++) {
		await bucket.put(`dir/${nameOf(index)}`, new Uint8Array());
	}

	const {fileSystem} = a;
	const directory = await fileSystem.opendir('dir');
	const seen = new Map<string, number>();
	let offset = 0;
	for (let step = 0; ; step++) {
		const entries = await fileSystem.readdir(directory, offset);
		if (entries.length === 0) {
			break;
		}

		for (const {name, nextOffset} of entries) {
			seen.set(name, (seen.get(name) ?? 0) + 1);
			offset = nextOffset;
		}

		// Names that end in 7 come and go: before and after the place where the listing stands.
		const index = (step * 1009 * 10) % entryCount;
		await bucket.delete(`dir/${nameOf(index + 7)}`);
		await bucket.put(`dir/${nameOf(index)}-new`, new Uint8Array());
		await b.fs.mkdir(`dir/${nameOf(index)}-directory`);
		const {handle} = await fileSystem.open(
			`dir/${nameOf(index)}-local`,
			{read: true, write: true, append: false, truncate: false, create: true, exclusive: false},
			{permissions: 0o644, caller: {uid: 0, gid: 0}},
		);
		if (step % 2 === 0) {
			await fileSystem.release(handle);
		}
	}

	await fileSystem.releasedir(directory);
	const twice = [...seen].filter(([, count]) => count > 1).map(([name]) => name);
	t.deepEqual(twice, []);
	const lost = Array.from({length: entryCount}, (_, index) => index).filter(
		index => index % 10 !== 7 && !seen.has(nameOf(index)),
	);
	t.deepEqual(lost, []);
});
