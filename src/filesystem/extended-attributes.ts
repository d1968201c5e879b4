import {FsError} from '../model/fs-error.ts';
import type {FileAttributes} from './attributes.ts';
import {changeAttributes} from './change-attributes.ts';
import type {FileSystemParts} from './file-system-parts.ts';

export const listxattr = async (parts: FileSystemParts, path: string): Promise<string[]> =>
	Object.keys((await attributesOf(parts, path)).xattrs);

export const getxattr = async (parts: FileSystemParts, path: string, name: string): Promise<Uint8Array | undefined> => {
	if (!name.startsWith('user.')) {
		return undefined;
	}

	const value = (await attributesOf(parts, path)).xattrs[name];
	return value === undefined ? undefined : Buffer.from(value, 'base64');
};

export const setxattr = async (
	parts: FileSystemParts,
	path: string,
	name: string,
	value: Uint8Array,
	mode: 'create' | 'replace' | 'either',
): Promise<void> => {
	assertUserAttribute(parts, name);
	await changeAttributes(
		parts,
		{path},
		attributes => {
			const exists = name in attributes.xattrs;
			if (mode === 'create' && exists) {
				throw new FsError('EEXIST', `${path} has the attribute ${name}`);
			}

			if (mode === 'replace' && !exists) {
				throw new FsError('ENODATA', `${path} has no attribute ${name}`);
			}

			return {...attributes, xattrs: {...attributes.xattrs, [name]: Buffer.from(value).toString('base64')}};
		},
		'extended attributes',
	);
};

export const removexattr = async (parts: FileSystemParts, path: string, name: string): Promise<void> => {
	assertUserAttribute(parts, name);
	await changeAttributes(
		parts,
		{path},
		attributes => {
			if (!(name in attributes.xattrs)) {
				throw new FsError('ENODATA', `${path} has no attribute ${name}`);
			}

			return {
				...attributes,
				xattrs: Object.fromEntries(Object.entries(attributes.xattrs).filter(([key]) => key !== name)),
			};
		},
		'extended attributes',
	);
};

const assertUserAttribute = (parts: FileSystemParts, name: string): void => {
	if (!name.startsWith('user.') || parts.options.attributes === 'uniform') {
		throw new FsError('EOPNOTSUPP', `The extended attribute ${name} cannot be kept`);
	}
};

const attributesOf = async (parts: FileSystemParts, path: string): Promise<FileAttributes> =>
	parts.files.changed(path)?.attributes ?? (await parts.namespace.require(path)).attributes;
