import type {Metadata, ObjectHead} from '../store/object-store.ts';
import {type ReadObject, cutPiece, pieceOfObject, readContent} from './content-piece.ts';
import type {StagedLayer} from './staged-layer.ts';

/**
Whether an object is what an earlier try made of this layer: its attributes are the same, with a
modification time to the nanosecond. Where they do not hold one, the bytes must be the same.
*/
export const isSameUpload = async (
	current: ObjectHead,
	{layer, metadata}: {readonly layer: StagedLayer; readonly metadata: Metadata},
	readObject: ReadObject,
): Promise<boolean> => {
	const keys = new Set([...Object.keys(current.metadata), ...Object.keys(metadata)]);
	const isMoved = current.sizeBytes !== layer.sizeBytes;
	if (
		(isMoved && (layer.appendedFrom === undefined || current.sizeBytes < layer.sizeBytes - layer.appendedFrom)) ||
		![...keys].every(key => current.metadata[key] === metadata[key])
	) {
		return false;
	}

	return 'file-mtime' in metadata || hasSameBytes(current, layer, readObject);
};

const hasSameBytes = async (current: ObjectHead, layer: StagedLayer, readObject: ReadObject): Promise<boolean> => {
	const movedBytes = current.sizeBytes - layer.sizeBytes;
	let offset = layer.appendedFrom ?? 0;
	for (const piece of layer.resolve(offset, layer.sizeBytes, (start, end) => [pieceOfObject(current, start, end)])) {
		for (let from = 0; piece.source.kind === 'local' && from < piece.bytes; from += comparedBytes) {
			const some = cutPiece(piece, from, Math.min(from + comparedBytes, piece.bytes));
			const [local, stored] = [Buffer.alloc(some.bytes), Buffer.alloc(some.bytes)];
			await readContent([some], local, readObject);
			await readObject(current, offset + from + movedBytes, stored);
			if (!local.equals(stored)) {
				return false;
			}
		}

		offset += piece.bytes;
	}

	return true;
};

const comparedBytes = 2 ** 20;
