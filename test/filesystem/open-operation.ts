import test, {type ExecutionContext} from 'ava';
import {constants} from 'node:fs';
import type {OpenResult} from '../../src/filesystem/filesystem.ts';
import {parseOpenFlags} from '../../src/fuse/open-flags.ts';
import {readText, writeText} from '../support/fs-text.ts';
import {startNodes, type Nodes} from '../support/volume-nodes.ts';

const {O_RDONLY, O_WRONLY, O_APPEND} = constants;

/** Node A wrote a file, and node B has read it: its kernel has the pages. */
const setUp = async (t: ExecutionContext): Promise<Nodes & {openOnB: (flags?: number) => Promise<OpenResult>}> => {
	const nodes = await startNodes(t);
	const {a, b} = nodes;
	const openOnB = async (flags = O_RDONLY): Promise<OpenResult> => b.fileSystem.open('file', parseOpenFlags(flags));
	await writeText(a.fs, 'file', 'x');
	const first = await openOnB();
	t.false(first.keepsPages());
	await b.fileSystem.read(first.handle, Buffer.alloc(10), 0);
	await b.fileSystem.release(first.handle);
	const second = await openOnB();
	t.true(second.keepsPages());
	await b.fileSystem.release(second.handle);
	return {...nodes, openOnB};
};

test('an open that is not answered says nothing of the pages of the kernel', async t => {
	const {a, openOnB} = await setUp(t);
	await writeText(a.fs, 'file', 'y');
	const refused = await openOnB();
	t.is(refused.sizeBytes, 1);
	t.false((await openOnB()).keepsPages());
});

test('an open keeps no pages while the kernel may still have to use an earlier answer, which drops them', async t => {
	const {a, b, openOnB} = await setUp(t);
	await writeText(a.fs, 'file', 'y');
	const first = await openOnB();
	t.false(first.keepsPages());
	t.false((await openOnB()).keepsPages(), 'it may be ahead of the first');
	await b.fileSystem.read(first.handle, Buffer.alloc(10), 0);
	t.true((await openOnB()).keepsPages());
});

test('what is appended to a version that the kernel has no pages of does not make its pages those of the result', async t => {
	const {a, b, openOnB} = await setUp(t);
	const appender = await openOnB(O_WRONLY | O_APPEND);
	t.true(appender.keepsPages());
	await writeText(a.fs, 'file', 'y');
	const reader = await openOnB();
	t.true(reader.isDirect);
	t.false(reader.keepsPages());
	await b.fileSystem.release(reader.handle);
	await b.fileSystem.write(appender.handle, Buffer.from('z'), 1);
	await b.fileSystem.flush(appender.handle);
	await b.fileSystem.release(appender.handle);
	t.false((await openOnB()).keepsPages());
	t.is(await readText(b.fs, 'file'), 'yz');
});
