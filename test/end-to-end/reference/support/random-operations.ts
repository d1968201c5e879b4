import type {Caller, FileSystem, OpenFlags} from '../../../../src/filesystem/filesystem.ts';
import {isWithin, parentOf} from '../../../../src/model/object-key.ts';
import type {RandomSource} from '../../../support/random-source.ts';

/** An open file in the file system under test and in the model. */
export type OpenPair = {
	readonly subject: number;
	readonly model: number;
	readonly flags: OpenFlags;
	readonly openedAs: string;
};

/** The same step on both: what is done, and on which handles. */
export type RandomOperation = {
	readonly name: string;
	/**
	Carried out on the file system under test, then on the model; both must answer the same or fail with the same
	errno.
	*/
	readonly perform: (fileSystem: FileSystem, handleOf: (pair: OpenPair) => number) => Promise<unknown>;
	readonly opens?: {readonly flags: OpenFlags; readonly path: string};
	readonly closes?: OpenPair;
};

/** What the generator looks at, so that it makes only calls that the kernel would pass on. */
type World = {readonly model: FileSystem; readonly open: readonly OpenPair[]};

/** Few names, so that operations meet; nested, so that trees are renamed. */
const names = ['a', 'b', 'd', 'd/a', 'd/b', 'd/e', 'd/e/a', 'f', 'f/a', 'ü', 'd/ü'];
const callers: readonly Caller[] = [
	{uid: 0, gid: 0},
	{uid: 1000, gid: 1000},
];

/** Times that only `utimens` of a test sets: they must survive, and go with the next change of the content. */
export const isMagicTime = (timeNs: bigint): boolean => timeNs > 0n && timeNs < 1_000_000_000_000_000n;

/** The next operation; `undefined` when the kernel would have refused it before it got to us. */
export const nextOperation = async (random: RandomSource, world: World): Promise<RandomOperation | undefined> => {
	const path = random.pick(names);
	if ((await kindAt(world.model, parentOf(path))) !== 'directory') {
		return undefined;
	}

	const handle = world.open.length === 0 ? undefined : random.pick(world.open);
	if (handle !== undefined && random.chance(0.55)) {
		return handleOperation(random, world, handle);
	}

	return random.chance(0.35) ? openOperation(random, world, path) : pathOperation(random, world, path);
};

const kindAt = async (model: FileSystem, path: string): Promise<string | undefined> => {
	try {
		return (await model.getattr({path})).kind;
	} catch {
		return undefined; // Nothing there, which is what the caller asks.
	}
};

const openOperation = async (
	random: RandomSource,
	{model}: World,
	path: string,
): Promise<RandomOperation | undefined> => {
	const kind = await kindAt(model, path);
	if (kind === 'fifo' || kind === 'directory') {
		return undefined;
	}

	const write = random.chance(0.8);
	const create = random.chance(0.6);
	const flags: OpenFlags = {
		read: !write || random.chance(0.5),
		write,
		append: write && random.chance(0.3),
		truncate: write && random.chance(0.3),
		create,
		exclusive: create && random.chance(0.2),
	};
	const creation = {permissions: random.pick([0o644, 0o600, 0o755]), caller: random.pick(callers)};
	return {
		name: `open ${path} ${Object.entries(flags)
			.filter(([, isSet]) => isSet)
			.map(([flag]) => flag)
			.join('+')}`,
		perform: async fileSystem => (await fileSystem.open(path, flags, creation)).handle,
		opens: {flags, path},
	};
};

const handleOperation = async (
	random: RandomSource,
	world: World,
	pair: OpenPair,
): Promise<RandomOperation | undefined> => {
	const {flags} = pair;
	const offset = random.pick([0, 1, 100, 1000, 2500]);
	const length = 1 + random.below(1500);
	const at = `#${pair.subject} (${pair.openedAs})`;
	const data = Buffer.alloc(length, 33 + random.below(90));
	switch (
		random.pick([
			'write',
			'write',
			'write',
			'read',
			'flush',
			'fsync',
			'close',
			'close',
			'truncate',
			'fallocate',
			'chmod',
			'copy',
			'mtime',
		])
	) {
		case 'write': {
			return flags.write
				? {
						name: `write ${at} ${offset}+${length}`,
						perform: async (fileSystem, of) => fileSystem.write(of(pair), data, offset),
					}
				: undefined;
		}

		case 'read': {
			return flags.read
				? {
						name: `read ${at} ${offset}+${length}`,
						perform: async (fileSystem, of) => readRange(fileSystem, of(pair), offset, length),
					}
				: undefined;
		}

		case 'flush': {
			return {name: `flush ${at}`, perform: async (fileSystem, of) => fileSystem.flush(of(pair))};
		}

		case 'fsync': {
			return {name: `fsync ${at}`, perform: async (fileSystem, of) => fileSystem.fsync(of(pair))};
		}

		case 'close': {
			return {
				name: `close ${at}`,
				closes: pair,
				async perform(fileSystem, of) {
					await fileSystem.flush(of(pair));
					await fileSystem.release(of(pair));
				},
			};
		}

		case 'truncate': {
			return flags.write
				? {
						name: `ftruncate ${at} ${offset}`,
						perform: async (fileSystem, of) => fileSystem.truncate({handle: of(pair)}, offset),
					}
				: undefined;
		}

		case 'fallocate': {
			return flags.write ? allocateOperation(random, world, pair, {offset, length}) : undefined;
		}

		case 'chmod': {
			const permissions = random.pick([0o600, 0o644, 0o4755]);
			return {
				name: `fchmod ${at} ${permissions.toString(8)}`,
				perform: async (fileSystem, of) => fileSystem.chmod({handle: of(pair)}, permissions),
			};
		}

		case 'mtime': {
			const mtime = BigInt(1 + random.below(1_000_000)) * 1_000_000n;
			return {
				name: `futimens ${at} ${mtime}`,
				perform: async (fileSystem, of) => fileSystem.utimens({handle: of(pair)}, {atime: 'omit', mtime}),
			};
		}

		default: {
			return copyOperation(random, world, pair, {offset, length});
		}
	}
};

/**
Only what changes bytes: whether the time of a file changes when nothing else does is each file system's own affair.
*/
const allocateOperation = async (
	random: RandomSource,
	{model}: World,
	pair: OpenPair,
	{offset, length}: {offset: number; length: number},
): Promise<RandomOperation | undefined> => {
	const mode = random.pick(['grow', 'punchHole', 'zeroRange']);
	const {sizeBytes} = await model.getattr({handle: pair.model});
	const request = {
		offset,
		length,
		keepSize: mode === 'punchHole',
		punchHole: mode === 'punchHole',
		zeroRange: mode === 'zeroRange',
		otherFlags: false,
	};
	const hasEffect = mode === 'grow' ? offset + length > sizeBytes : mode === 'zeroRange' || offset < sizeBytes;
	return hasEffect
		? {
				name: `fallocate ${mode} #${pair.subject} (${pair.openedAs}) ${offset}+${length}`,
				perform: async (fileSystem, of) => fileSystem.fallocate(of(pair), request),
			}
		: undefined;
};

const copyOperation = (
	random: RandomSource,
	{open}: World,
	to: OpenPair,
	{offset, length}: {offset: number; length: number},
): RandomOperation | undefined => {
	const from = random.pick(open);
	// The kernel refuses append-only destinations, and ranges of one file that overlap.
	if (!to.flags.write || to.flags.append || !from.flags.read || from.openedAs === to.openedAs) {
		return undefined;
	}

	const sourceOffset = random.pick([0, 50, 700]);
	return {
		name: `copy_file_range #${from.subject}@${sourceOffset} -> #${to.subject}@${offset} ${length}`,
		perform: async (fileSystem, of) =>
			fileSystem.copyFileRange({handle: of(from), offset: sourceOffset}, {handle: of(to), offset}, length),
	};
};

const pathOperation = async (
	random: RandomSource,
	{model}: World,
	path: string,
): Promise<RandomOperation | undefined> => {
	const kind = await kindAt(model, path);
	const caller = random.pick(callers);
	const isPlain = kind === 'file' || kind === 'directory';
	switch (
		random.pick([
			'mkdir',
			'rmdir',
			'unlink',
			'symlink',
			'mknod',
			'rename',
			'rename',
			'rename',
			'chmod',
			'chown',
			'mtime',
			'truncate',
			'setxattr',
			'removexattr',
			'readlink',
		])
	) {
		case 'mkdir': {
			const permissions = random.pick([0o755, 0o700]);
			return {name: `mkdir ${path}`, perform: async fileSystem => fileSystem.mkdir(path, permissions, caller)};
		}

		case 'rmdir': {
			return {name: `rmdir ${path}`, perform: async fileSystem => fileSystem.rmdir(path)};
		}

		case 'unlink': {
			return {name: `unlink ${path}`, perform: async fileSystem => fileSystem.unlink(path)};
		}

		case 'symlink': {
			return {
				name: `symlink ${path}`,
				perform: async fileSystem => fileSystem.symlink(`../target/of/${path}`, path, caller),
			};
		}

		case 'mknod': {
			const entry = {kind: random.pick(['fifo', 'file'] as const), permissions: 0o640, rdev: 0};
			return {name: `mknod ${path} ${entry.kind}`, perform: async fileSystem => fileSystem.mknod(path, entry, caller)};
		}

		case 'rename': {
			return renameOperation(random, model, path);
		}

		case 'chmod': {
			const permissions = random.pick([0o700, 0o711, 0o1777, 0o644]);
			return kind === 'symlink'
				? undefined
				: {
						name: `chmod ${path} ${permissions.toString(8)}`,
						perform: async fileSystem => fileSystem.chmod({path}, permissions),
					};
		}

		case 'chown': {
			const owner = random.pick([{uid: 7}, {gid: 8}, {uid: 9, gid: 10}]);
			return {
				name: `chown ${path} ${JSON.stringify(owner)}`,
				perform: async fileSystem => fileSystem.chown({path}, owner),
			};
		}

		case 'mtime': {
			const mtime = BigInt(1 + random.below(1_000_000)) * 1_000_000n;
			return {
				name: `utimens ${path} ${mtime}`,
				perform: async fileSystem => fileSystem.utimens({path}, {atime: 'omit', mtime}),
			};
		}

		case 'truncate': {
			const sizeBytes = random.pick([0, 10, 1200, 5000]);
			return kind === 'file'
				? {name: `truncate ${path} ${sizeBytes}`, perform: async fileSystem => fileSystem.truncate({path}, sizeBytes)}
				: undefined;
		}

		case 'setxattr': {
			const name = random.pick(['user.x', 'user.ü']);
			const mode = random.pick(['create', 'replace', 'either'] as const);
			const value = Buffer.alloc(random.below(30), 7);
			return isPlain
				? {
						name: `setxattr ${path} ${name} ${mode}`,
						perform: async fileSystem => fileSystem.setxattr(path, name, value, mode),
					}
				: undefined;
		}

		case 'removexattr': {
			return isPlain
				? {name: `removexattr ${path}`, perform: async fileSystem => fileSystem.removexattr(path, 'user.x')}
				: undefined;
		}

		default: {
			return {name: `readlink ${path}`, perform: async fileSystem => fileSystem.readlink(path)};
		}
	}
};

const renameOperation = async (
	random: RandomSource,
	model: FileSystem,
	from: string,
): Promise<RandomOperation | undefined> => {
	const to = random.pick(names);
	// The kernel refuses to move a directory into itself, and anything over its own parent.
	if (
		(await kindAt(model, parentOf(to))) !== 'directory' ||
		(isWithin(to, from) && to !== from) ||
		(isWithin(from, to) && to !== from)
	) {
		return undefined;
	}

	const noReplace = from !== to && random.chance(0.2);
	return {
		name: `rename ${from} -> ${to}${noReplace ? ' (noReplace)' : ''}`,
		perform: async fileSystem => fileSystem.rename(from, to, {noReplace}),
	};
};

/** The bytes of a range, as text that shows where two differ. */
export const readRange = async (
	fileSystem: FileSystem,
	handle: number,
	offset: number,
	length: number,
): Promise<string> => {
	const buffer = Buffer.alloc(length);
	return describeBytes(buffer.subarray(0, await fileSystem.read(handle, buffer, offset)));
};

/** Runs of equal bytes: `100x41 20x00`. */
export const describeBytes = (bytes: Uint8Array): string => {
	const runs: string[] = [];
	for (let start = 0; start < bytes.length; ) {
		let end = start + 1;
		while (end < bytes.length && bytes[end] === bytes[start]) {
			end++;
		}

		runs.push(`${end - start}x${bytes[start]!.toString(16).padStart(2, '0')}`); // The loop's bound.
		start = end;
	}

	return runs.join(' ');
};
