/** The structures and numbers of linux/fuse.h that this driver uses, named as there without `fuse_`. */
import {defineStruct, type Fields, type Struct} from './struct.ts';

export const protocolMajor = 7;

/** The newest minor version whose structures are the ones below; kernels speak every older one too. */
export const protocolMinor = 41;

/** Linux 5.4. Before it, requests have fewer pages and structures are shorter. */
export const protocolMinorMin = 31;

export const rootNodeId = 1;

export const inHeader = defineStruct({
	len: 'u32',
	opcode: 'u32',
	unique: 'u64',
	nodeid: 'u64',
	uid: 'u32',
	gid: 'u32',
	pid: 'u32',
	/** Bytes of extensions behind the body, in units of 8; there are none that were not asked for. */
	extensionLength: 'u16',
	padding: 'u16',
});

export const outHeader = defineStruct({len: 'u32', error: 'i32', unique: 'u64'});

const attrFields = {
	ino: 'u64',
	size: 'u64',
	blocks: 'u64',
	atime: 'i64',
	mtime: 'i64',
	ctime: 'i64',
	atimeNs: 'u32',
	mtimeNs: 'u32',
	ctimeNs: 'u32',
	mode: 'u32',
	nlink: 'u32',
	uid: 'u32',
	gid: 'u32',
	rdev: 'u32',
	blksize: 'u32',
	flags: 'u32',
} as const satisfies Fields;

export const attrOut = defineStruct({attrValid: 'u64', attrValidNs: 'u32', dummy: 'u32', ...attrFields});

export const entryOut = defineStruct({
	nodeid: 'u64',
	generation: 'u64',
	entryValid: 'u64',
	attrValid: 'u64',
	entryValidNs: 'u32',
	attrValidNs: 'u32',
	...attrFields,
});

export const openOut = defineStruct({fh: 'u64', openFlags: 'u32', padding: 'u32'});
export const writeOut = defineStruct({size: 'u32', padding: 'u32'});
export const getxattrOut = defineStruct({size: 'u32', padding: 'u32'});

export const statfsOut = defineStruct({
	blocks: 'u64',
	bfree: 'u64',
	bavail: 'u64',
	files: 'u64',
	ffree: 'u64',
	bsize: 'u32',
	namelen: 'u32',
	frsize: 'u32',
	padding: 'u32',
	spare0: 'u64',
	spare1: 'u64',
	spare2: 'u64',
});

/** Before the bytes of the name; the whole is padded to a multiple of 8. */
export const dirent = defineStruct({ino: 'u64', off: 'u64', namelen: 'u32', type: 'u32'});

export const initOut = defineStruct({
	major: 'u32',
	minor: 'u32',
	maxReadahead: 'u32',
	flags: 'u32',
	maxBackground: 'u16',
	congestionThreshold: 'u16',
	maxWrite: 'u32',
	timeGranularity: 'u32',
	maxPages: 'u16',
	mapAlignment: 'u16',
	flags2: 'u32',
	unused0: 'u32',
	unused1: 'u64',
	unused2: 'u64',
	unused3: 'u64',
});

export const notifyInvalInodeOut = defineStruct({ino: 'u64', off: 'i64', len: 'i64'});
export const notifyInvalEntryOut = defineStruct({parent: 'u64', namelen: 'u32', flags: 'u32'});

/** The code of a notification stands where an answer has its error. */
export const notifyCodes = {invalInode: 2, invalEntry: 3} as const;

/** What follows the header of a request: a structure, then strings that end in a zero, or bytes. */
type RequestForm = {
	readonly opcode: number;
	readonly body?: Struct;
	readonly stringCount?: 0 | 1 | 2;
	/** The rest of the request, behind the strings. */
	readonly hasData?: true;
};

const fhIn = {fh: 'u64', flags: 'u32', padding: 'u32'} as const satisfies Fields;
const releaseIn = defineStruct({fh: 'u64', flags: 'u32', releaseFlags: 'u32', lockOwner: 'u64'});
const readIn = defineStruct({
	fh: 'u64',
	offset: 'u64',
	size: 'u32',
	ioFlags: 'u32',
	lockOwner: 'u64',
	flags: 'u32',
	padding: 'u32',
});

/** Every request that the kernel can send to us, by the name of its opcode. Others are answered with ENOSYS. */
export const requestForms = {
	lookup: {opcode: 1, stringCount: 1},
	forget: {opcode: 2, body: defineStruct({nlookup: 'u64'})},
	getattr: {opcode: 3, body: defineStruct({flags: 'u32', dummy: 'u32', fh: 'u64'})},
	setattr: {
		opcode: 4,
		body: defineStruct({
			valid: 'u32',
			padding: 'u32',
			fh: 'u64',
			size: 'u64',
			lockOwner: 'u64',
			atime: 'i64',
			mtime: 'i64',
			ctime: 'i64',
			atimeNs: 'u32',
			mtimeNs: 'u32',
			ctimeNs: 'u32',
			mode: 'u32',
			unused4: 'u32',
			uid: 'u32',
			gid: 'u32',
			unused5: 'u32',
		}),
	},
	readlink: {opcode: 5},
	symlink: {opcode: 6, stringCount: 2},
	mknod: {opcode: 8, body: defineStruct({mode: 'u32', rdev: 'u32', umask: 'u32', padding: 'u32'}), stringCount: 1},
	mkdir: {opcode: 9, body: defineStruct({mode: 'u32', umask: 'u32'}), stringCount: 1},
	unlink: {opcode: 10, stringCount: 1},
	rmdir: {opcode: 11, stringCount: 1},
	rename: {opcode: 12, body: defineStruct({newdir: 'u64'}), stringCount: 2},
	link: {opcode: 13, body: defineStruct({oldnodeid: 'u64'}), stringCount: 1},
	open: {opcode: 14, body: defineStruct({flags: 'u32', openFlags: 'u32'})},
	read: {opcode: 15, body: readIn},
	write: {opcode: 16, body: readIn, hasData: true},
	statfs: {opcode: 17},
	release: {opcode: 18, body: releaseIn},
	fsync: {opcode: 20, body: defineStruct(fhIn)},
	setxattr: {opcode: 21, body: defineStruct({size: 'u32', flags: 'u32'}), stringCount: 1, hasData: true},
	getxattr: {opcode: 22, body: defineStruct({size: 'u32', padding: 'u32'}), stringCount: 1},
	listxattr: {opcode: 23, body: defineStruct({size: 'u32', padding: 'u32'})},
	removexattr: {opcode: 24, stringCount: 1},
	flush: {opcode: 25, body: defineStruct({fh: 'u64', unused: 'u32', padding: 'u32', lockOwner: 'u64'})},
	init: {
		opcode: 26,
		body: defineStruct({major: 'u32', minor: 'u32', maxReadahead: 'u32', flags: 'u32'}),
		hasData: true,
	},
	opendir: {opcode: 27, body: defineStruct({flags: 'u32', openFlags: 'u32'})},
	readdir: {opcode: 28, body: readIn},
	releasedir: {opcode: 29, body: releaseIn},
	fsyncdir: {opcode: 30, body: defineStruct(fhIn)},
	create: {
		opcode: 35,
		body: defineStruct({flags: 'u32', mode: 'u32', umask: 'u32', openFlags: 'u32'}),
		stringCount: 1,
	},
	interrupt: {opcode: 36, body: defineStruct({unique: 'u64'})},
	destroy: {opcode: 38},
	batchForget: {opcode: 42, body: defineStruct({count: 'u32', dummy: 'u32'}), hasData: true},
	fallocate: {
		opcode: 43,
		body: defineStruct({fh: 'u64', offset: 'u64', length: 'u64', mode: 'u32', padding: 'u32'}),
	},
	readdirplus: {opcode: 44, body: readIn},
	rename2: {opcode: 45, body: defineStruct({newdir: 'u64', flags: 'u32', padding: 'u32'}), stringCount: 2},
	copyFileRange: {
		opcode: 47,
		body: defineStruct({
			fhIn: 'u64',
			offsetIn: 'u64',
			nodeidOut: 'u64',
			fhOut: 'u64',
			offsetOut: 'u64',
			length: 'u64',
			flags: 'u64',
		}),
	},
} as const satisfies Readonly<Record<string, RequestForm>>;

export type RequestName = keyof typeof requestForms;

export const forgetOne = defineStruct({nodeid: 'u64', nlookup: 'u64'});

/** `flags` of INIT. */
export const initFlags = {
	asyncRead: 1 << 0,
	atomicTruncate: 1 << 3,
	bigWrites: 1 << 5,
	autoInvalidateData: 1 << 12,
	readdirplus: 1 << 13,
	readdirplusAuto: 1 << 14,
	asyncDirect: 1 << 15,
	parallelDirectories: 1 << 18,
	handleKillPriv: 1 << 19,
	maxPages: 1 << 22,
} as const;

/** `valid` of SETATTR: which of its fields are to be set. */
export const setattrValid = {
	mode: 1 << 0,
	uid: 1 << 1,
	gid: 1 << 2,
	size: 1 << 3,
	atime: 1 << 4,
	mtime: 1 << 5,
	fh: 1 << 6,
	atimeNow: 1 << 7,
	mtimeNow: 1 << 8,
} as const;

/** `flags` of GETATTR: `fh` is an open file. */
export const getattrHasHandle = 1;

/** `ioFlags` of WRITE: the kernel writes a page back, through any handle of the file. */
export const writeFromPages = 1;

/** `openFlags` of answers to OPEN and CREATE. */
export const openedFlags = {directIo: 1, keepCache: 2} as const;
