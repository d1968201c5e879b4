import type {IncomingHttpHeaders} from 'node:http';
import type {CopySource, ObjectHead} from './object-store.ts';
import {isWrittenBy, toObjectHead} from './s3-object-head.ts';

type CopyIdentity = {
	/** The write id, when the copy's metadata was ours to choose. */
	readonly id: string | undefined;
	readonly source: CopySource;
	/** The newest version of the source. */
	readonly findSource: () => Promise<ObjectHead | undefined>;
};

/**
Tells whether the object at the destination is our copy. With the write id that is certain; a copy that took over
its source's metadata is recognised by having all of it (its times to the nanosecond, its own write id) and the
source's bytes.
*/
export const toCopyConfirmation =
	({id, source, findSource}: CopyIdentity) =>
	async (headers: IncomingHttpHeaders): Promise<boolean> => {
		if (id !== undefined) {
			return isWrittenBy(headers, id);
		}

		const original = await findSource();
		const copy = toObjectHead(source.key, headers);
		if (original === undefined) {
			return source.etag !== undefined && copy.etag === source.etag;
		}

		return (
			hasBytesOf(copy, original) && JSON.stringify(sorted(copy.metadata)) === JSON.stringify(sorted(original.metadata))
		);
	};

/** A copy has an etag of its own when its source was uploaded in parts: `<md5>-<count of parts>`. */
const hasBytesOf = (copy: ObjectHead, original: ObjectHead): boolean =>
	copy.etag === original.etag || (original.etag.includes('-') && copy.sizeBytes === original.sizeBytes);

const sorted = (metadata: ObjectHead['metadata']) => Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
