import type {ExecutionContext} from 'ava';
import {StagingArea} from '../../src/upload/staging-area.ts';
import type {StagedLayer} from '../../src/upload/staged-layer.ts';
import {createStagingDirectory} from './volume-nodes.ts';

/** A staging area in a directory of its own, gone after the test. */
export const openStaging = async (
	t: ExecutionContext,
	options: {directory?: string; bytesMax?: number; isDurable?: boolean} = {},
): Promise<StagingArea & {readonly directory: string}> => {
	const directory = options.directory ?? (await createStagingDirectory(t));
	const staging = await StagingArea.open({
		directory,
		bytesMax: options.bytesMax ?? 2 ** 30,
		isDurable: options.isDurable ?? false,
	});
	return Object.assign(staging, {directory});
};

/** The file as a layer shows it over these bytes. */
export const layerBytes = async (layer: StagedLayer, lower: Uint8Array): Promise<Buffer> => {
	const file = Buffer.alloc(layer.sizeBytes);
	for (const {start, end, source} of layer.slice(0, layer.sizeBytes)) {
		if (source === undefined) {
			file.set(lower.subarray(start, end), start);
		} else if (source.kind === 'local') {
			await layer.read(layer.positionOf(start), file.subarray(start, end));
		}
	}

	return file;
};
