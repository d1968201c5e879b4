import {FsError} from '../model/fs-error.ts';
import {nameBytesMax, nameOf} from '../model/object-key.ts';

/**
The native layer hands over names as strings decoded from UTF-8, with U+FFFD for every byte that is not UTF-8. Keys of
S3 are UTF-8, so no such name can exist; and two different ones would look the same here. A name that holds a real
U+FFFD cannot be told from these and is refused as well.
*/
const replacement = '\uFFFD';

/** The path of something that should exist; without the leading slash, as `FileSystem` takes it. */
export const toPath = (fusePath: string): string => {
	if (fusePath.includes(replacement)) {
		throw new FsError('ENOENT', 'Cannot find a file whose name is not UTF-8: S3 cannot hold such a name');
	}

	// The kernel sends names of up to 1024 bytes. One that cannot exist is not merely absent, says POSIX.
	const name = nameOf(fusePath);
	if (name.length > nameBytesMax / 3 && Buffer.byteLength(name) > nameBytesMax) {
		throw new FsError('ENAMETOOLONG', `A name has ${nameBytesMax} bytes at most: ${name.slice(0, 80)} is longer`);
	}

	return fusePath.slice(1);
};

/** The path of something that is to be created. */
export const toNewPath = (fusePath: string): string => toUtf8(fusePath, 'file name').slice(1);

/** Any other text that will be stored: the target of a symlink, the name of an extended attribute. */
export const toUtf8 = (text: string, what: string): string => {
	if (text.includes(replacement)) {
		throw new FsError('EILSEQ', `Cannot store a ${what} that is not UTF-8: keys and metadata of S3 must be`);
	}

	return text;
};
