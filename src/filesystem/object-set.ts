import {createHash} from 'node:crypto';

/**
A set of versions of objects that costs a few bytes for each: a directory may have millions. It keeps 53 bits of a hash
for each of them, so two in billions are taken for the same.
*/
export class ObjectSet {
	readonly #hashes = new Set<number>();

	add(key: string, etag: string): void {
		this.#hashes.add(toNumber(key, etag));
	}

	delete(key: string, etag: string): void {
		this.#hashes.delete(toNumber(key, etag));
	}

	has(key: string, etag: string): boolean {
		return this.#hashes.has(toNumber(key, etag));
	}
}

const toNumber = (key: string, etag: string): number => {
	const digest = createHash('sha1').update(`${etag}\n${key}`).digest();
	return digest.readUIntBE(0, 6) * 32 + (digest[6]! & 31); // A digest has 20 bytes.
};
