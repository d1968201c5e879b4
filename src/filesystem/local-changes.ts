import type {KnownEntry, MetadataCache} from '../cache/metadata-cache.ts';
import type {ObjectHead, VersionMarks} from '../store/object-store.ts';
import type {KernelPages} from './kernel-pages.ts';
import type {KnownMarkers} from './known-markers.ts';
import type {Namespace} from './namespace.ts';

/** An object under its new key, and of which version under the old one it is a copy. */
export type MovedObject = {
	readonly head: ObjectHead;
	readonly sourceEtag: string;
	readonly sourceMarks?: VersionMarks | undefined;
};

/**
What this node changed in S3, said once to every table that remembers names: what paths are, look-ups on their way,
markers, the kernel's pages. An operation calls this as soon as S3 has answered. No call waits for
anything, so no other call of this node sees one table changed and another one not.
*/
export class LocalChanges {
	readonly #cache: MetadataCache;
	readonly #namespace: Namespace;
	readonly #markers: KnownMarkers;
	readonly #kernelPages: KernelPages;

	constructor(tables: {
		cache: MetadataCache;
		namespace: Namespace;
		markers: KnownMarkers;
		kernelPages: KernelPages;
	}) {
		this.#cache = tables.cache;
		this.#namespace = tables.namespace;
		this.#markers = tables.markers;
		this.#kernelPages = tables.kernelPages;
	}

	/** A new entry has this path; `undefined` when S3 does not have it yet. */
	created(path: string, entry: KnownEntry | undefined): void {
		this.#changed(path, entry);
	}

	/** A file is gone, and the path is free. */
	removed(path: string): void {
		this.#changed(path, {state: 'absent'});
		this.#kernelPages.forget(path);
	}

	/** An empty directory is gone. An object of the same name, which it hid, may show now. */
	directoryRemoved(path: string): void {
		this.#markers.forget(path);
		this.#cache.changeTree(path);
		this.#namespace.forgetLookupsBelow(path);
	}

	/** A file has another name. */
	moved(from: string, {head, sourceEtag}: MovedObject): void {
		this.#changed(from, {state: 'absent'});
		this.#changed(head.key, {state: 'object', head});
		this.#kernelPages.moved({path: from, etag: sourceEtag}, {path: head.key, etag: head.etag});
	}

	/** A directory has another name, and so has everything in it. */
	treeMoved(from: string, to: string): void {
		this.treeMayHaveMoved(from, to);
	}

	/** The move of a directory failed: half of it may be here and half there. */
	treeMayHaveMoved(from: string, to: string): void {
		this.#markers.forget(from);
		for (const directory of [from, to]) {
			this.#cache.changeTree(directory);
			this.#kernelPages.forgetTree(directory);
			this.#namespace.forgetLookupsBelow(directory);
		}
	}

	/** The path has other attributes and the bytes that it had: those of the version `before`, if it is an object. */
	replaced(path: string, entry: KnownEntry, before?: ObjectHead): void {
		if (entry.state === 'object' && before !== undefined) {
			this.#kernelPages.replaced(path, before.etag, entry.head.etag);
		}

		this.#changed(path, entry);
	}

	/** A file has a new version: `isAsWritten` when its bytes are all those that the kernel wrote, and no others. */
	uploaded(path: string, head: ObjectHead, {isAsWritten}: {isAsWritten: boolean}): void {
		this.#changed(path, {state: 'object', head});
		if (isAsWritten) {
			this.#kernelPages.note(path, head.etag);
		} else {
			this.#kernelPages.forget(path);
		}
	}

	/** A directory that was there has a marker now. */
	markerMade(directory: string): void {
		this.#changed(directory, undefined);
		this.#markers.note(directory);
	}

	/** What the path is has to be asked: this node changed it, or a change of somebody else was noticed. */
	mayHaveChanged(path: string): void {
		this.#changed(path, undefined);
	}

	#changed(path: string, entry: KnownEntry | undefined): void {
		if (entry?.state === 'directory') {
			this.#markers.note(path);
		}

		this.#cache.change(path, entry);
		this.#namespace.forgetLookup(path);
	}
}
