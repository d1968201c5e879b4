import type {ObjectHead} from '../store/object-store.ts';
import type {FileAttributes} from './attributes.ts';
import {OpenFile} from './open-file.ts';
import type {FileSystemParts} from './file-system-parts.ts';

/** A file that has no layers yet, known by its path from now on. */
export const addFile = (
	parts: FileSystemParts,
	path: string,
	base: ObjectHead | undefined,
	attributes: FileAttributes,
): OpenFile => {
	const file = new OpenFile({
		path,
		base,
		attributes,
		staging: parts.staging,
		reader: parts.reader,
		defaults: parts.defaults,
		now: parts.now(),
	});
	parts.files.add(file);
	return file;
};
