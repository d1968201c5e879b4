import type {Metadata} from '../store/object-store.ts';
import type {EarlyUpload} from './early-upload.ts';
import type {StagedLayer} from './staged-layer.ts';

/** The object that a layer is to become. */
export type SealTarget = {
	readonly key: string;
	readonly metadata: Metadata;
	readonly contentType: string | undefined;
};

/** A layer that no write changes again. Newer ones may be merged into it until an upload claims it. */
export type SealedLayer = {
	readonly key: string;
	metadata: Metadata;
	contentType: string | undefined;
	readonly layer: StagedLayer;
	/** When it was sealed first, also in an earlier run. */
	readonly sealedAtMs: number;
	/** An earlier try, or an earlier run that died, may have stored it without learning of it. */
	mayBeStored: boolean;
	/** An upload has begun with it: it stays as it is. */
	isClaimed: boolean;
	/** A caller waits for its upload, and for that of no other state of the file. */
	isWaitedFor: boolean;
	/** The newest layer that was merged into it. */
	mergedId: string | undefined;
	/** Its write id, once that does not follow from the other fields any more: as it was before the first merge. */
	writeHash: string | undefined;
	/** Its upload, when that has begun while it was written. */
	readonly begun: EarlyUpload | undefined;
	/** What the journal knows: on what the layer lies, and which state of it. */
	recorded: string | undefined;
	/** Whether the record is to outlast a loss of power. */
	isDurable: boolean;
};
