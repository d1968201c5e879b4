import {constants} from 'node:fs';
import type {OpenFlags} from '../filesystem/filesystem.ts';

const accessModeMask = 0o3;

/** The flags of open(2), as far as they matter to us. */
export const parseOpenFlags = (flags: number): OpenFlags => {
	const accessMode = flags & accessModeMask;
	return {
		read: accessMode !== constants.O_WRONLY,
		write: accessMode !== constants.O_RDONLY,
		append: (flags & constants.O_APPEND) !== 0,
		truncate: (flags & constants.O_TRUNC) !== 0,
		create: (flags & constants.O_CREAT) !== 0,
		exclusive: (flags & constants.O_EXCL) !== 0,
	};
};
