import {createHash} from 'node:crypto';

/**
Inode numbers: derived from the path, so that they are the same after a restart, but never the same for two files
that are both alive. A file keeps its number when it is renamed, and a new file does not get the number of one that was
renamed or unlinked under that name: programs take two equal numbers for one file (cp, mv, tail -F).
*/
export class InodeNumbers {
	/** Paths whose number is not the one that their path gives. */
	readonly #assigned = new Map<string, number>();
	/** Numbers that a path gives and that a file of another name (or none) has. */
	readonly #taken = new Map<number, true>();
	readonly #countMax: number;
	#counter = 0;

	constructor(options: {countMax?: number} = {}) {
		this.#countMax = options.countMax ?? 100_000;
	}

	/** The number of what has this path now. The root is 1 (FUSE_ROOT_ID). */
	of(path: string): number {
		return path === '' ? 1 : (this.#assigned.get(path) ?? numberOf(path));
	}

	/** A new file has this path. */
	created(path: string): void {
		if (this.#taken.has(numberOf(path))) {
			this.#assign(path, this.#fresh());
		} else {
			this.#assigned.delete(path);
		}
	}

	/** The file keeps its number under its new path. */
	renamed(from: string, to: string): void {
		const ino = this.of(from);
		this.#assigned.delete(from);
		this.#take(numberOf(from));
		if (numberOf(to) !== ino) {
			this.#take(numberOf(to));
		}

		this.#assign(to, ino);
	}

	/** The path is free; its number may live on in an open file. */
	unlinked(path: string): void {
		if (!this.#assigned.delete(path)) {
			this.#take(numberOf(path));
		}
	}

	#assign(path: string, ino: number): void {
		this.#assigned.set(path, ino);
		trim(this.#assigned, this.#countMax);
	}

	#take(ino: number): void {
		this.#taken.delete(ino);
		this.#taken.set(ino, true);
		trim(this.#taken, this.#countMax);
	}

	/** Numbers above 2^52: a hash never gives them. */
	#fresh(): number {
		this.#counter++;
		return 2 ** 52 + this.#counter;
	}
}

const trim = (map: Map<unknown, unknown>, countMax: number): void => {
	if (map.size > countMax) {
		for (const oldest of map.keys()) {
			map.delete(oldest);
			break;
		}
	}
};

/** 2 to 2^52: what a JavaScript number holds exactly. */
const numberOf = (path: string): number => {
	const digest = createHash('sha1').update(path).digest();
	return (digest.readUInt32BE(0) % 2 ** 20) * 2 ** 32 + digest.readUInt32BE(4) + 2;
};
