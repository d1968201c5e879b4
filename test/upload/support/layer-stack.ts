import {cp} from 'node:fs/promises';
import type {ExecutionContext} from 'ava';
import type {ObjectHead, ObjectStore} from '../../../src/store/object-store.ts';
import type {ReadObject} from '../../../src/upload/content-piece.ts';
import {LayerStack} from '../../../src/upload/layer-stack.ts';
import type {SealTarget} from '../../../src/upload/sealed-layer.ts';
import type {StagingArea} from '../../../src/upload/staging-area.ts';
import {openStaging} from './staging.ts';
import {createStagingDirectory} from '../../support/volume-nodes.ts';

/** What a crash of the node leaves of a staging directory at this moment. */
export const copyDirectory = async (t: ExecutionContext, directory: string): Promise<string> => {
	const copy = await createStagingDirectory(t);
	await cp(directory, copy, {recursive: true});
	return copy;
};

/** The stack of each key that a start finds in a staging directory; closed after the test. */
export const recoverStacks = async (
	t: ExecutionContext,
	directory: string,
): Promise<{staging: StagingArea; stacks: Map<string, LayerStack>; damaged: string[]}> => {
	const staging = await openStaging(t, {directory});
	t.teardown(async () => staging.close());
	const stacks = new Map<string, LayerStack>();
	const {layers, damaged} = await staging.recover();
	for (const recovered of layers) {
		const {key, base} = recovered.record;
		const stack = stacks.get(key) ?? new LayerStack({base: base === 'previous' ? undefined : base, staging});
		stack.adopt(recovered);
		stacks.set(key, stack);
	}

	return {staging, stacks, damaged};
};

/** Reads versions of objects straight from a store. */
export const readFrom =
	(store: ObjectStore): ReadObject =>
	async (object, offset, target) => {
		const range = {start: offset, end: offset + target.length};
		const result = await store.get(object.key, {range, ifMatch: object.etag, versionId: object.versionId});
		let filledBytes = 0;
		for await (const part of result?.body ?? []) {
			target.set(part, filledBytes);
			filledBytes += part.length;
		}
	};

/** The file as a stack shows it. */
export const stackText = async (stack: LayerStack, store: ObjectStore): Promise<string> => {
	const target = Buffer.alloc(stack.sizeBytes);
	await stack.read(0, target, readFrom(store));
	return target.toString();
};

/** Makes an object. */
export const putText = async (store: ObjectStore, key: string, text: string): Promise<ObjectHead> => {
	const {etag, versionId} = await store.put(key, Buffer.from(text));
	return {key, etag, versionId, sizeBytes: text.length, lastModifiedMs: 0, metadata: {}};
};

/** Writes at an offset; without one, at the end, as with O_APPEND. */
export const writeToStack = async (stack: LayerStack, text: string, offset?: number): Promise<void> => {
	await stack.writable().write(offset ?? stack.sizeBytes, Buffer.from(text), {isAppend: offset === undefined});
};

/** Seals what is written, in the journal. A caller seems to wait for its upload: so nothing is merged into it. */
export const sealApart = async (stack: LayerStack, target: SealTarget): Promise<void> => {
	await stack.seal(target, {waitsForUpload: true});
	await stack.record();
};
