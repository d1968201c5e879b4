import {createHash} from 'node:crypto';
import {BoundedMap} from '../model/bounded-map.ts';

/**
Inode numbers: derived from the path, so that they are the same after a restart, but never the same for two files
that are both alive. A file keeps its number when it is renamed, and a new file does not get the number of one that was
renamed or unlinked under that name: programs take two equal numbers for one file (cp, mv, tail -F).
*/
export class InodeNumbers {
	/** Paths whose number is not the one that their path gives. */
	readonly #assigned: BoundedMap<string, number>;
	/** Numbers that a path gives and that a file of another name (or none) has. */
	readonly #taken: BoundedMap<number, true>;
	#counter = 0;

	constructor({countMax = 100_000}: {countMax?: number} = {}) {
		this.#assigned = new BoundedMap({countMax});
		this.#taken = new BoundedMap({countMax});
	}

	/** The number of what has this path now. The root is 1 (FUSE_ROOT_ID). */
	of(path: string): number {
		return path === '' ? 1 : (this.#assigned.get(path) ?? numberOf(path));
	}

	/** A new file has this path. */
	created(path: string): void {
		if (this.#taken.has(numberOf(path))) {
			this.#assigned.set(path, this.#fresh());
		} else {
			this.#assigned.delete(path);
		}
	}

	/** The file keeps its number under its new path. */
	renamed(from: string, to: string): void {
		const ino = this.of(from);
		this.#assigned.delete(from);
		this.#taken.set(numberOf(from), true);
		if (numberOf(to) !== ino) {
			this.#taken.set(numberOf(to), true);
		}

		this.#assigned.set(to, ino);
	}

	/** The path is free; its number may live on in an open file. */
	unlinked(path: string): void {
		if (!this.#assigned.delete(path)) {
			this.#taken.set(numberOf(path), true);
		}
	}

	/** Numbers above 2^52: a hash never gives them. */
	#fresh(): number {
		this.#counter++;
		return 2 ** 52 + this.#counter;
	}
}

/** 2 to 2^52: what a JavaScript number holds exactly. */
const numberOf = (path: string): number => {
	const digest = createHash('sha1').update(path).digest();
	return (digest.readUInt32BE(0) % 2 ** 20) * 2 ** 32 + digest.readUInt32BE(4) + 2;
};
