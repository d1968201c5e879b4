import {compareKeys} from '../../src/model/object-key.ts';
import type {ObjectStore} from '../../src/store/object-store.ts';

/** The bytes of an answer; none when there is none. */
export const toBytes = async (answer: Awaited<ReturnType<ObjectStore['get']>>): Promise<Buffer> => {
	const pieces: Uint8Array[] = [];
	for await (const piece of answer?.body ?? []) {
		pieces.push(Buffer.from(piece));
	}

	return Buffer.concat(pieces);
};

export const toText = async (answer: Awaited<ReturnType<ObjectStore['get']>>): Promise<string | undefined> =>
	answer === undefined ? undefined : (await toBytes(answer)).toString();

/** The entries of all pages; objects and prefixes in one order. */
export const listAll = async (store: ObjectStore, request: Parameters<ObjectStore['list']>[0]): Promise<string[]> => {
	const entries: string[] = [];
	let continuationToken: string | undefined;
	do {
		const page = await store.list({...request, continuationToken});
		entries.push(...[...page.objects.map(({key}) => key), ...page.prefixes].sort(compareKeys));
		({continuationToken} = page);
	} while (continuationToken !== undefined);

	return entries;
};
