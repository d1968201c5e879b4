import {constants} from 'node:fs';
import type {FsUnderTest} from './fs-under-test.ts';

/** The whole content of a file. */
export const readBytes = async (fs: FsUnderTest, path: string): Promise<Buffer> => {
	const file = await fs.open(path, constants.O_RDONLY);
	const parts: Buffer[] = [];
	try {
		for (let position = 0; ; ) {
			const part = await file.read(2 ** 20, position);
			if (part.length === 0) {
				return Buffer.concat(parts);
			}

			parts.push(part);
			position += part.length;
		}
	} finally {
		await file.close();
	}
};

export const readText = async (fs: FsUnderTest, path: string): Promise<string> =>
	(await readBytes(fs, path)).toString();

/** Makes or replaces a file. */
export const writeText = async (fs: FsUnderTest, path: string, content: string | Uint8Array): Promise<void> => {
	const file = await fs.open(path, constants.O_CREAT | constants.O_TRUNC | constants.O_WRONLY, 0o666);
	await file.write(content, 0);
	await file.close();
};
