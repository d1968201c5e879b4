import {existsSync, readlinkSync} from 'node:fs';
import {join} from 'node:path';
import {reach, resolveOnNode, type NodeRoot} from './node-root.ts';

/**
The directory of the version that is installed on the node, as the node sees it; `undefined` when there is none that
has its command line.
*/
export const findCurrentRuntime = (root: NodeRoot, runtimeDirectory: string): string | undefined => {
	try {
		const directory = resolveOnNode(root, runtimeDirectory);
		const home = join(directory, readlinkSync(reach(root, join(directory, 'current'))));
		return existsSync(reach(root, join(home, 'bin', 'pnx-volume'))) ? home : undefined;
	} catch {
		return undefined; // The installation reports what is wrong there.
	}
};
