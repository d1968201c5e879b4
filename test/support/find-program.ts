import {accessSync, constants} from 'node:fs';
import {delimiter, join} from 'node:path';

/** Where the programs of this name are that PATH has. */
export const findPrograms = (name: string): string[] =>
	(process.env['PATH'] ?? '')
		.split(delimiter)
		.map(directory => join(directory, name))
		.filter(path => {
			try {
				accessSync(path, constants.X_OK);
				return true;
			} catch {
				return false;
			}
		});

/** Where a program is; `undefined` when it is not on PATH. */
export const findProgram = (name: string): string | undefined => findPrograms(name)[0];
