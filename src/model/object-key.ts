/**
Paths and keys. A *path* is what the file system speaks: `''` is the root of the volume, `'dir/file'` a
name below it; never a leading or a trailing slash. A *key* is what S3 speaks: the volume's prefix, then
the path; a directory's marker has a trailing slash.

A key is a file name only when every component between its slashes can be one on Linux: 1 to 255 bytes,
not `.` or `..`, without NUL. Other keys (`a//b`, `../x`) are left out of every listing, cannot be
reached, and are never touched.
*/

/** The longest key that S3 takes, in bytes of UTF-8 (Amazon S3 User Guide, "Naming objects"). */
export const keyBytesMax = 1024;

/** The longest name of a directory entry in bytes (limits.h: NAME_MAX). */
export const nameBytesMax = 255;

/** Whether this is a name that Linux lets a directory entry have. */
export const isEntryName = (name: string): boolean =>
	name !== '' &&
	name !== '.' &&
	name !== '..' &&
	!name.includes('\0') &&
	!name.includes('/') &&
	(name.length <= nameBytesMax / 3 || Buffer.byteLength(name) <= nameBytesMax);

/** The path of the directory that holds this path; the root is its own parent. */
export const parentOf = (path: string): string => {
	const slash = path.lastIndexOf('/');
	return slash === -1 ? '' : path.slice(0, slash);
};

/** The last component of a path; empty for the root. */
export const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** The path of an entry of a directory. */
export const joinPath = (directory: string, name: string): string => (directory === '' ? name : `${directory}/${name}`);

/** Whether a path is the given directory or lies below it. */
export const isWithin = (path: string, directory: string): boolean =>
	directory === '' || path === directory || path.startsWith(`${directory}/`);

/** The volume's prefix as it stands before every key: empty, or ending in one slash. */
export const toKeyPrefix = (prefix: string): string => {
	const trimmed = prefix.replace(/^\/+|\/+$/g, '');
	return trimmed === '' ? '' : `${trimmed}/`;
};

/** Compares names as S3 orders keys: by the bytes of their UTF-8. JavaScript's own order is by UTF-16 units. */
export const compareKeys = (a: string, b: string): number => {
	const length = Math.min(a.length, b.length);
	for (let index = 0; index < length; index++) {
		const left = a.charCodeAt(index);
		const right = b.charCodeAt(index);
		if (left !== right) {
			// Surrogates (U+D800..U+DFFF) stand for code points above U+FFFF, which UTF-8 orders last.
			const leftRank = left >= 0xd8_00 && left <= 0xdf_ff ? left + 0x1_00_00 : left;
			const rightRank = right >= 0xd8_00 && right <= 0xdf_ff ? right + 0x1_00_00 : right;
			return leftRank - rightRank;
		}
	}

	return a.length - b.length;
};
