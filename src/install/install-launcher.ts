import {chmodSync, lstatSync, readFileSync} from 'node:fs';
import {basename, join} from 'node:path';
import {hasErrorCode, toReason} from '../model/error-text.ts';
import {NodeError} from '../node/node-error.ts';
import {removeLeftOvers, replaceFile} from '../node/host/durable-file.ts';
import {assertExecutable} from './file-system-checks.ts';
import {ensureDirectory, reach, resolveOnNode, type NodeRoot} from './node-root.ts';
import {testLauncher} from './self-test.ts';

/** What the driver `pnx/volume` is called below a plugin directory. */
export const driverDirectoryName = 'pnx~volume';
export const driverName = 'volume';

const leftOver = /^\.volume\.[\da-f]{12}$/;
const mode = 0o755;

/**
Puts the driver where the kubelet looks for it; whether anything had to be done. The kubelet watches this directory
and runs `init` for every visible change: so there is one rename and nothing else, and none at all when the driver
is there already.
*/
export const installLauncher = async ({
	root,
	pluginDirectory,
	text,
}: {
	root: NodeRoot;
	pluginDirectory: string;
	text: string;
}): Promise<{isChanged: boolean; path: string}> => {
	// The plugin directory may be reached by links, as an operator has set the node up; our own directory in it must
	// be one.
	const directory = ensureDirectory(root, join(ensureParent(root, pluginDirectory), driverDirectoryName), {
		mode: 0o755,
	});
	assertExecutable(root, directory, 'The driver');
	const path = join(directory, driverName);
	const reached = reach(root, path);
	try {
		removeLeftOvers(reach(root, directory), leftOver);
		if (isInstalled(reached, text)) {
			return {isChanged: false, path};
		}

		await replaceFile(reached, text, {
			mode,
			check: async temporary => testLauncher(root, join(directory, basename(temporary))),
		});
	} catch (error) {
		if (error instanceof NodeError) {
			throw error;
		}

		throw new NodeError(
			`Cannot install the driver at ${path} on the node: ${toReason(error)}${hasErrorCode(error, 'EROFS') ? "; set the kubelet's volumePluginDir to a directory that can be written" : ''}`,
			{cause: error},
		);
	}

	return {isChanged: true, path};
};

/** One more event for the kubelet, which misses the first one of a directory that is new. It changes nothing. */
export const touchLauncher = (root: NodeRoot, path: string): void => {
	try {
		chmodSync(reach(root, path), mode);
	} catch (error) {
		if (!hasErrorCode(error, 'ENOENT')) {
			throw error;
		} // Taken away meanwhile: the next check puts it back.
	}
};

const ensureParent = (root: NodeRoot, pluginDirectory: string): string => {
	const real = resolveOnNode(root, pluginDirectory);
	return lstatSync(reach(root, real), {throwIfNoEntry: false}) === undefined
		? ensureDirectory(root, real, {mode: 0o755})
		: real;
};

const isInstalled = (path: string, text: string): boolean => {
	const status = lstatSync(path, {throwIfNoEntry: false});
	return (
		status !== undefined &&
		status.isFile() &&
		(status.mode & 0o7777) === mode &&
		status.uid === 0 &&
		readFileSync(path, 'utf8') === text
	);
};
