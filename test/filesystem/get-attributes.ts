import test from 'ava';
import {parseOpenFlags} from '../../src/fuse/open-flags.ts';
import {errnoOf} from '../support/fs-under-test.ts';
import {writeText} from '../support/fs-text.ts';
import {startNodes} from '../support/volume-nodes.ts';

test('known attributes are what getattr() says, and no request is sent for them', async t => {
	const {a, b, passMs} = await startNodes(t);
	await writeText(a.fs, 'file', 'content');
	t.deepEqual(a.fileSystem.knownAttributes('file'), await a.fileSystem.getattr({path: 'file'}));
	t.is(b.fileSystem.knownAttributes('file'), undefined);
	t.is(b.fileSystem.knownAttributes('nothing'), undefined);
	const stat = await b.fileSystem.getattr({path: 'file'});
	t.deepEqual(b.fileSystem.knownAttributes('file'), stat);
	passMs(1000);
	t.is(b.fileSystem.knownAttributes('file'), undefined, 'They are too old');
});

test('a listing makes attributes known where all files have the same', async t => {
	for (const [attributes, sizeBytes] of [
		['uniform', 7],
		['posix', undefined],
	] as const) {
		const {a, b} = await startNodes(t, {options: {attributes}});
		await writeText(a.fs, 'file', 'content');
		const directory = await b.fileSystem.opendir('');
		await b.fileSystem.readdir(directory, 0);
		t.is(b.fileSystem.knownAttributes('file')?.sizeBytes, sizeBytes, attributes);
		await b.fileSystem.releasedir(directory);
	}
});

test('an open file that was replaced elsewhere is ESTALE to its readers, or has the attributes of its own version', async t => {
	const {a, b} = await startNodes(t);
	await writeText(a.fs, 'file', 'one');
	const {handle} = await b.fileSystem.open('file', parseOpenFlags(0));
	const before = await b.fileSystem.getattr({handle});
	await writeText(a.fs, 'file', 'another');
	const newer = await b.fileSystem.open('file', parseOpenFlags(0));
	t.is(await errnoOf(b.fileSystem.getattr({handle})), 'ESTALE');
	t.deepEqual(await b.fileSystem.getattr({handle}, {isOwnVersion: true}), before);
	t.is((await b.fileSystem.getattr({handle: newer.handle}, {isOwnVersion: true})).sizeBytes, 7);
});
