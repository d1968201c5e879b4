import test from 'ava';
import {parseOpenFlags} from '../../src/fuse/open-flags.ts';
import {writeText} from '../support/fs-text.ts';
import {startNodes} from '../support/volume-nodes.ts';

const readFlags = parseOpenFlags(0);

test('an open file is what its path is until another version of it is seen', async t => {
	const {a, b, passMs} = await startNodes(t);
	await writeText(a.fs, 'file', 'one');
	const {handle} = await b.fileSystem.open('file', readFlags);
	t.true(await b.fileSystem.isCurrent(handle, 'file'));
	t.false(await b.fileSystem.isCurrent(handle, 'other'));
	await writeText(a.fs, 'file', 'two');
	t.true(await b.fileSystem.isCurrent(handle, 'file'), 'Nobody has looked');
	passMs(1000);
	await b.fileSystem.getattr({path: 'file'});
	t.false(await b.fileSystem.isCurrent(handle, 'file'), 'A look-up has seen it');
	const newer = await b.fileSystem.open('file', readFlags);
	t.false(await b.fileSystem.isCurrent(handle, 'file'), 'An open has seen it');
	t.true(await b.fileSystem.isCurrent(newer.handle, 'file'));
});

test('changes of the node itself, and its renames, leave an open file what its path is', async t => {
	const {a} = await startNodes(t);
	await writeText(a.fs, 'file', 'one');
	const {handle} = await a.fileSystem.open('file', readFlags);
	await writeText(a.fs, 'file', 'two');
	await a.fileSystem.chmod({path: 'file'}, 0o600);
	await a.fileSystem.getattr({path: 'file'});
	t.true(await a.fileSystem.isCurrent(handle, 'file'));
	await a.fileSystem.rename('file', 'moved');
	t.true(await a.fileSystem.isCurrent(handle, 'moved'));
	t.false(await a.fileSystem.isCurrent(handle, 'file'));
});

test('an open file that was deleted or replaced on the node is not what its path is', async t => {
	const {a} = await startNodes(t);
	await writeText(a.fs, 'file', 'one');
	const first = await a.fileSystem.open('file', readFlags);
	await a.fileSystem.unlink('file');
	t.false(await a.fileSystem.isCurrent(first.handle, 'file'));
	await writeText(a.fs, 'file', 'two');
	const second = await a.fileSystem.open('file', readFlags);
	await writeText(a.fs, 'other', 'three');
	await a.fileSystem.rename('other', 'file');
	t.false(await a.fileSystem.isCurrent(first.handle, 'file'));
	t.false(await a.fileSystem.isCurrent(second.handle, 'file'));
});

test('a reader at the end of its file is in the longer version that it grew to', async t => {
	const {a, b, passMs} = await startNodes(t);
	await writeText(a.fs, 'log', 'one\n');
	const {handle} = await b.fileSystem.open('log', readFlags);
	const reader = await b.fileSystem.open('log', readFlags);
	await b.fileSystem.read(reader.handle, Buffer.alloc(100), 0);
	const appender = await a.fileSystem.open('log', parseOpenFlags(0o2001));
	await a.fileSystem.write(appender.handle, Buffer.from('two\n'), 4);
	await a.fileSystem.flush(appender.handle);
	passMs(1000);
	await b.fileSystem.getattr({path: 'log'});
	t.true(await b.fileSystem.isCurrent(reader.handle, 'log'));
	t.false(await b.fileSystem.isCurrent(handle, 'log'), 'It may read from the start still');
});
