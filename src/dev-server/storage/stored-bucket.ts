import {KeyIndex} from './key-index.ts';
import type {StoredChange, StoredObject, StoredPart, StoredUpload, StoredVersion} from './stored-state.ts';

/** An unfinished multipart upload with the parts it has so far. */
export type OpenUpload = {readonly upload: StoredUpload; readonly parts: Map<number, StoredPart>};

/** One bucket in memory: its versions by key, its settings and its unfinished uploads. */
export class StoredBucket {
	readonly name: string;
	readonly region: string;
	readonly createdMs: number;
	/** Documents by the name of their sub-resource. */
	readonly settings = new Map<string, string>();
	readonly uploads = new Map<string, OpenUpload>();
	/** Keys whose newest version is an object: what a listing shows. */
	readonly currentKeys = new KeyIndex();
	/** Keys with any version, delete markers too. */
	readonly allKeys = new KeyIndex();
	// The newest version is the last.
	readonly #versionsByKey = new Map<string, StoredVersion[]>();

	constructor({bucket, region, createdMs}: {bucket: string; region: string; createdMs: number}) {
		this.name = bucket;
		this.region = region;
		this.createdMs = createdMs;
	}

	/** `Enabled`, `Suspended`, or empty when it was never on. */
	get versioning(): string {
		return this.settings.get('versioning') ?? '';
	}

	/** The object that a plain GET finds. */
	current(key: string): StoredObject | undefined {
		const newest = this.newest(key);
		return newest?.kind === 'object' ? newest : undefined;
	}

	newest(key: string): StoredVersion | undefined {
		return this.#versionsByKey.get(key)?.at(-1);
	}

	/** All versions of a key, the newest last. */
	versions(key: string): readonly StoredVersion[] {
		return this.#versionsByKey.get(key) ?? [];
	}

	version(key: string, versionId: string): StoredVersion | undefined {
		return this.#versionsByKey.get(key)?.findLast(version => version.versionId === versionId);
	}

	/** Adds a version as the newest, and returns the one that it replaces. */
	putVersion(key: string, version: StoredVersion): StoredVersion | undefined {
		let versions = this.#versionsByKey.get(key);
		if (versions === undefined) {
			versions = [];
			this.#versionsByKey.set(key, versions);
			this.allKeys.add(key);
		}

		const wasListed = versions.at(-1)?.kind === 'object';
		const replaced = removeVersion(versions, version.versionId);
		versions.push(version);
		this.#indexCurrent(key, {wasListed, isListed: version.kind === 'object'});
		return replaced;
	}

	/** Removes a version for good, and returns it. */
	dropVersion(key: string, versionId: string): StoredVersion | undefined {
		const versions = this.#versionsByKey.get(key);
		if (versions === undefined) {
			return undefined;
		}

		const wasListed = versions.at(-1)?.kind === 'object';
		const dropped = removeVersion(versions, versionId);
		if (versions.length === 0) {
			this.#versionsByKey.delete(key);
			this.allKeys.remove(key);
		}

		this.#indexCurrent(key, {wasListed, isListed: versions.at(-1)?.kind === 'object'});
		return dropped;
	}

	setTags(key: string, versionId: string, tags: StoredObject['tags']): void {
		const versions = this.#versionsByKey.get(key) ?? [];
		const index = versions.findIndex(version => version.versionId === versionId);
		const version = versions[index];
		if (version?.kind === 'object') {
			versions[index] = {...version, tags};
		}
	}

	/** The changes that make this bucket as it is, for a compacted journal. */
	*toChanges(): Generator<StoredChange> {
		const bucket = this.name;
		yield {op: 'bucket', bucket, region: this.region, createdMs: this.createdMs};
		for (const [name, value] of this.settings) {
			yield {op: 'setting', bucket, name, value};
		}

		for (const [key, versions] of this.#versionsByKey) {
			for (const version of versions) {
				yield {op: 'version', bucket, key, version};
			}
		}

		for (const {upload, parts} of this.uploads.values()) {
			yield {op: 'upload', bucket, upload};
			for (const [partNumber, part] of parts) {
				yield {op: 'part', bucket, uploadId: upload.id, partNumber, part};
			}
		}
	}

	#indexCurrent(key: string, {wasListed, isListed}: {wasListed: boolean; isListed: boolean}): void {
		if (isListed && !wasListed) {
			this.currentKeys.add(key);
		} else if (wasListed && !isListed) {
			this.currentKeys.remove(key);
		}
	}
}

const removeVersion = (versions: StoredVersion[], versionId: string): StoredVersion | undefined => {
	const index = versions.findLastIndex(version => version.versionId === versionId);
	return index === -1 ? undefined : versions.splice(index, 1)[0];
};
