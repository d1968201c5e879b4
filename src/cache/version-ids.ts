import type {ObjectVersion} from '../store/object-store.ts';
import {type VersionId, versionIdOf} from './block-cache.ts';

/** The ids of versions, each made once. */
export class VersionIds {
	readonly #ids = new WeakMap<ObjectVersion, VersionId>();

	of(version: ObjectVersion): VersionId {
		let id = this.#ids.get(version);
		if (id === undefined) {
			id = versionIdOf(version);
			this.#ids.set(version, id);
		}

		return id;
	}
}
