import {AssertionError} from 'node:assert';
import fs from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import {createMemoryObjectStore} from '../../store/doubles/memory-object-store.ts';
import {errnoOf} from '../../support/fs-under-test.ts';
import {eventually, objectKeys, startNode} from '../../support/volume-nodes.ts';

test('an upload that meets a bug is not tried again: the bytes are kept on disk and never reach S3', async t => {
	const bucket = createMemoryObjectStore();
	let putCount = 0;
	const broken = new Proxy(bucket, {
		get(target, name) {
			if (name === 'put') {
				return async () => {
					putCount++;
					throw new AssertionError({message: 'a bug'});
				};
			}

			const value: unknown = Reflect.get(target, name);
			return typeof value === 'function' ? (value as (...parameters: unknown[]) => unknown).bind(target) : value;
		},
	});
	const {fileSystem, events, stagingDirectory} = await startNode(t, broken, {options: {durability: 'journal'}});
	const {handle} = await fileSystem.open(
		'file',
		{read: true, write: true, append: false, truncate: false, create: true, exclusive: false},
		{permissions: 0o644, caller: {uid: 0, gid: 0}},
	);
	await fileSystem.write(handle, Buffer.from('content'), 0);
	t.is(await errnoOf(fileSystem.flush(handle)), undefined);
	await fileSystem.release(handle);
	await eventually(t, 'the bytes are kept', () =>
		events.some(event => event.event === 'upload failed' && event.isFinal && event.keptAt !== undefined),
	);
	const countBefore = putCount;
	await new Promise(resolve => {
		setTimeout(resolve, 50); // Ten times the delay of a retry.
	});
	t.is(putCount, countBefore);
	t.deepEqual(await objectKeys(bucket), []);
	const kept = (await fs.readdir(path.join(stagingDirectory, 'failed'))).filter(name => name.endsWith('.data'));
	t.is(await fs.readFile(path.join(stagingDirectory, 'failed', kept[0]!), 'utf8'), 'content');
});
