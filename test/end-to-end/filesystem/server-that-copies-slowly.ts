import test from 'ava';
import type {ObjectStore} from '../../../src/store/object-store.ts';
import {createMemoryObjectStore} from '../../store/doubles/memory-object-store.ts';
import {readText, writeText} from '../../support/fs-text.ts';
import {objectText, startNode} from '../../support/volume-nodes.ts';

/** Reads the source of a copy and stores it later, as S3 does: only a condition on the destination helps then. */
const withSlowCopies = (inner: ObjectStore, whileCopying: () => Promise<void>): ObjectStore => ({
	...Object.fromEntries(
		Object.getOwnPropertyNames(Object.getPrototypeOf(inner)).map(name => {
			const value: unknown = Reflect.get(inner, name);
			return [name, typeof value === 'function' ? value.bind(inner) : value];
		}),
	),
	...({
		async copy(source, key, {replace, ...request} = {}) {
			const answer = await inner.get(source.key, {ifMatch: source.etag});
			const pieces: Uint8Array[] = [];
			for await (const piece of answer?.body ?? []) {
				pieces.push(Buffer.from(piece));
			}

			await whileCopying();
			return inner.put(key, pieces, {...(replace ?? answer?.object), ...request});
		},
	} satisfies Partial<ObjectStore> as ObjectStore),
});

test('attributes and renames of a file that another node writes while S3 copies it replace none of its bytes', async t => {
	const bucket = createMemoryObjectStore();
	const b = await startNode(t, bucket);
	let meanwhile = async (): Promise<void> => undefined;
	const a = await startNode(
		t,
		withSlowCopies(bucket, async () => {
			const run = meanwhile;
			meanwhile = async () => undefined;
			await run();
		}),
	);
	await writeText(a.fs, 'file', 'old');
	meanwhile = async () => writeText(b.fs, 'file', 'new of b');
	await a.fs.chmod('file', 0o600);
	t.is(await objectText(bucket, 'file'), 'new of b');
	t.is((await a.fs.stat('file')).permissions, 0o600);
	meanwhile = async () => writeText(b.fs, 'file', 'newer of b');
	await a.fs.rename('file', 'moved');
	t.is(await objectText(bucket, 'moved'), 'newer of b');
	t.is(await objectText(bucket, 'file'), undefined);
	t.is(await readText(a.fs, 'moved'), 'newer of b');
});
