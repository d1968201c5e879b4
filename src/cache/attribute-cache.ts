import type {ListedObject, ObjectHead} from '../store/object-store.ts';

/**
What HEAD said of objects, outside memory. An entry counts for the version that a listing names: same etag, size and
time. An implementation may lose any entry at any time; it never answers what another version had.
*/
export interface AttributeCache {
	/** All that HEAD said of this version; `undefined` when it has to be asked. */
	find(object: ListedObject): ObjectHead | undefined;
	/** Whether some version of the key is known, so that a listing may be all that is needed. */
	has(key: string): boolean;
	/** Keeps an answer if later versions can be told from it. */
	note(head: ObjectHead): void;
	/** The disk is full: what is there goes. */
	giveWay(): Promise<void>;
	/** What was noted is on disk. */
	close(): Promise<void>;
}

/** No cache: `cache-size: 0`. */
export const noAttributeCache: AttributeCache = {
	find: () => undefined,
	has: () => false,
	note() {
		// Nothing is kept.
	},
	async giveWay() {
		// Nothing is there.
	},
	async close() {
		// Nothing is open.
	},
};
