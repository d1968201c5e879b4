import type {KnownEntry} from '../cache/metadata-cache.ts';
import type {ObjectHead} from '../store/object-store.ts';
import {type AttributeDefaults, type FileAttributes, readAttributes} from './attributes.ts';

/** What a path is in S3. A directory without a marker object has no head. */
export type Entry =
	| {
			readonly kind: 'directory';
			readonly path: string;
			readonly marker: ObjectHead | undefined;
			readonly attributes: FileAttributes;
	  }
	| {readonly kind: 'object'; readonly path: string; readonly head: ObjectHead; readonly attributes: FileAttributes};

/** A directory without a marker has no time of its own: it shows when the volume was mounted. */
const startedAtMs = Date.now();

/** What is known of a path as an entry; `undefined` when there is nothing. */
export const toEntry = (
	path: string,
	known: KnownEntry | undefined,
	defaults: AttributeDefaults,
): Entry | undefined => {
	switch (known?.state) {
		case 'object': {
			return toObjectEntry(path, known.head, defaults);
		}

		case 'listed': {
			return toObjectEntry(path, {...known.object, metadata: {}}, defaults);
		}

		case 'directory': {
			const marker = known.marker === 'unknown' ? undefined : known.marker;
			const described = marker ?? {key: `${path}/`, lastModifiedMs: startedAtMs, metadata: {}};
			return {kind: 'directory', path, marker, attributes: readAttributes(described, described.metadata, defaults)};
		}

		case 'absent':
		case undefined: {
			return undefined;
		}
	}
};

const toObjectEntry = (path: string, head: ObjectHead, defaults: AttributeDefaults): Entry => ({
	kind: 'object',
	path,
	head,
	attributes: readAttributes(head, head.metadata, defaults),
});
