import type {FileSystemParts} from './file-system-parts.ts';
import type {Handle} from './filesystem.ts';
import {catchUp, hasGrownTo} from './follow-growth.ts';
import {isOutdated} from './open-file.ts';

/**
Whether an open file is what the path is now, as far as this node knows. A reader at the end of its file goes on in a
longer version: that is the same file for it.
*/
export const isCurrent = async (parts: FileSystemParts, number: Handle, path: string): Promise<boolean> => {
	const handle = parts.files.handle(number);
	const {file} = handle;
	if (file.isUnlinked || file.path !== path || parts.files.get(path) !== file) {
		return false;
	}

	if (isOutdated(handle)) {
		if (handle.hasReachedEnd) {
			await catchUp(parts, handle);
		}

		return !isOutdated(handle);
	}

	const known = parts.cache.get(path);
	if (file.hasChanges || file.base === undefined || known === undefined) {
		return true;
	}

	switch (known.state) {
		case 'object': {
			return known.head.etag === file.base.etag || (handle.hasReachedEnd && hasGrownTo(parts, file, known.head));
		}

		case 'listed': {
			return known.object.etag === file.base.etag;
		}

		case 'directory':
		case 'absent': {
			return false;
		}
	}
};
