import {constants} from 'node:fs';
import test from 'ava';
import {createMemoryObjectStore} from '../store/doubles/memory-object-store.ts';
import {countAtOnce} from '../support/count-at-once.ts';
import {closeHandle, openHandle, startNode} from '../support/volume-nodes.ts';

const mebibyte = 2 ** 20;

test('uploads take their share of the memory for data, and no more', async t => {
	const {store, most} = countAtOnce(createMemoryObjectStore(), 'uploadPart');
	// The node has 64 MiB.
	const node = await startNode(t, store, {options: {'part-size': '8MiB'}});
	const handle = await openHandle(node, 'file', constants.O_CREAT | constants.O_WRONLY);
	await node.fileSystem.truncate({handle}, 64 * mebibyte);
	t.is(await closeHandle(node, handle), undefined);
	t.is(most(), 3);
});
