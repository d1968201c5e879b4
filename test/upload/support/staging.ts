import type {ExecutionContext} from 'ava';
import type {ObjectHead} from '../../../src/store/object-store.ts';
import {readContent} from '../../../src/upload/content-piece.ts';
import {StagingArea} from '../../../src/upload/staging-area.ts';
import type {StagedLayer} from '../../../src/upload/staged-layer.ts';
import {createStagingDirectory} from '../../support/volume-nodes.ts';

/** A staging area in a directory of its own, gone after the test. */
export const openStaging = async (
	t: ExecutionContext,
	options: {
		directory?: string;
		bytesMax?: number;
		isDurable?: boolean;
		bootId?: string;
		makeRoom?: () => Promise<void>;
	} = {},
): Promise<StagingArea & {readonly directory: string}> => {
	const directory = options.directory ?? (await createStagingDirectory(t));
	const staging = await StagingArea.open({
		directory,
		bytesMax: options.bytesMax ?? 2 ** 30,
		isDurable: options.isDurable ?? false,
		bootId: options.bootId,
		makeRoom: options.makeRoom,
	});
	return Object.assign(staging, {directory});
};

/** The file as a layer shows it over these bytes. */
export const layerBytes = async (layer: StagedLayer, lower: Uint8Array): Promise<Buffer> => {
	const file = Buffer.alloc(layer.sizeBytes);
	await readContent(layer.content({...someObject, sizeBytes: lower.length}), file, async (_object, offset, target) => {
		target.set(lower.subarray(offset, offset + target.length));
	});
	return file;
};

export const someObject: ObjectHead = {key: 'object', etag: 'etag', sizeBytes: 0, lastModifiedMs: 0, metadata: {}};
