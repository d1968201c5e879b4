import {basename, dirname, join} from 'node:path';

/**
The program to start another Node.js with, given that of this process. They are the same but in the packaged runtime:
there the C library's loader is what the kernel has started, and a script beside it, `bin/node`, starts them together.
*/
export const toNodejsCommand = (executablePath: string): string =>
	/^ld-linux.*\.so\.\d+$/.test(basename(executablePath))
		? join(dirname(executablePath), '..', 'bin', 'node')
		: executablePath;
