import type {ObjectVersion} from '../store/object-store.ts';

/** Bytes of a staging file. A read finds them as long as it has them pinned. */
export type LocalBytes = {
	/** Fills the target from a position of the staging file. */
	read(position: number, target: Uint8Array): Promise<void>;
	/** The CRC-32 of so many bytes from a position on, where it is known from when they were written. */
	crcOf(position: number, bytes: number): number | undefined;
	pin(): void;
	unpin(): void;
};

/** A stretch of a staging file. */
export type Place = {readonly position: number; readonly bytes: number};

/** Bytes that no staging file has: zeros, or those of a version of an object, from an offset of it on. */
type OtherSource =
	| {readonly kind: 'zero'}
	| {readonly kind: 'object'; readonly object: ObjectVersion; readonly objectOffset: number};

/** What a layer knows of its changed bytes, also in the journal: local ones are at a position of its own file. */
export type ExtentSource = OtherSource | {readonly kind: 'local'; readonly position: number};

/** Where to read bytes, whatever becomes of the layers meanwhile. */
export type ByteSource = OtherSource | {readonly kind: 'local'; readonly layer: LocalBytes; readonly position: number};

/** The same source from so many bytes further on. */
export const advanceSource = <Source extends ExtentSource | ByteSource>(source: Source, bytes: number): Source => {
	const any: ExtentSource | ByteSource = source;
	if (any.kind === 'object') {
		return {...any, objectOffset: any.objectOffset + bytes} as Source;
	}

	return 'position' in any ? ({...any, position: any.position + bytes} as Source) : source;
};
