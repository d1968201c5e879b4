import {existsSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {toNodejsCommand} from './nodejs-command.ts';
import {systemPath} from './run-command.ts';

/**
Where a small program of util-linux or e2fsprogs is: beside Node.js in the packaged runtime, which brings its own,
so that busybox's namesake with other options is not taken for it; in a checkout the host's. `undefined` when there
is none.
*/
export const findHostTool = (name: string, executablePath = process.execPath): string | undefined => {
	const nodejs = toNodejsCommand(executablePath);
	const directories = nodejs === executablePath ? systemPath.split(':') : [dirname(nodejs)];
	return directories.map(directory => join(directory, name)).find(path => existsSync(path));
};
