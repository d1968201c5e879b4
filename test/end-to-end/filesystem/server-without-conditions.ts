import test from 'ava';
import {StoreError} from '../../../src/model/store-error.ts';
import {createMemoryObjectStore} from '../../store/doubles/memory-object-store.ts';
import type {ObjectStore} from '../../../src/store/object-store.ts';
import {objectText, startNode} from '../../support/volume-nodes.ts';
import {readText, writeText} from '../../support/fs-text.ts';

/** Refuses every If-Match of a write, as Ceph 16 does in a versioned bucket. */
const withoutIfMatch = (inner: ObjectStore): ObjectStore =>
	new Proxy(inner, {
		get(target, name) {
			if (name === 'put') {
				return async (...[key, body, request]: Parameters<ObjectStore['put']>) => {
					if (request?.ifMatch !== undefined) {
						throw new StoreError('preconditionFailed', `Cannot write "${key}"`);
					}

					return target.put(key, body, request);
				};
			}

			const value: unknown = Reflect.get(target, name);
			return typeof value === 'function' ? (value as (...parameters: unknown[]) => unknown).bind(target) : value;
		},
	});

test('files can be written again on a server that refuses every If-Match, and a conflict is still seen', async t => {
	const bucket = createMemoryObjectStore();
	const a = await startNode(t, withoutIfMatch(bucket));
	await writeText(a.fs, 'file', 'one');
	await writeText(a.fs, 'file', 'two');
	t.is(await objectText(bucket, 'file'), 'two');
	t.is(a.events.filter(({event}) => event === 'the server cannot make a write conditional').length, 1);

	const {handle} = await a.fileSystem.open('file', {
		read: true,
		write: true,
		append: false,
		truncate: true,
		create: false,
		exclusive: false,
	});
	await a.fileSystem.write(handle, Buffer.from('three'), 0);
	await bucket.put('file', Buffer.from('from elsewhere'));
	await a.fileSystem.flush(handle);
	await a.fileSystem.release(handle);
	t.is(await readText(a.fs, 'file'), 'three');
	t.is(a.fileSystem.status().conflicts, 1);
});
