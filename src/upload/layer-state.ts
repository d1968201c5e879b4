import type {Extent} from './extent-map.ts';

/** What a layer tells of itself in the journal. */
export type LayerState = {
	readonly sizeBytes: number;
	readonly lowerBytes: number;
	readonly appendedFrom: number | undefined;
	readonly extents: readonly Extent[];
};
