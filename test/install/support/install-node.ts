import {lstatSync, mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {installOnNode, type InstallOptions, type InstallOutcome} from '../../../src/install/install-on-node.ts';
import {readRuntimeSource} from '../../../src/install/runtime-source.ts';
import type {PrivateNode} from './private-node.ts';

export type TestNode = Pick<PrivateNode, 'root' | 'directory'>;

/** A temporary directory for the trees of a test file; removed with its process's tests. */
export const createTreesDirectory = (after: (remove: () => void) => void): string => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-trees-'));
	after(() => rmSync(directory, {recursive: true, force: true}));
	return directory;
};

/** What an agent would give the installer on this node. */
const toInstallOptions = async (
	{root, directory}: TestNode,
	source: string,
	more: Partial<InstallOptions> = {},
): Promise<InstallOptions> => ({
	root,
	source: await readRuntimeSource(source),
	runtimeDirectory: join(directory, 'opt', 'pnx-volume'),
	pluginDirectory: join(directory, 'plugins'),
	stateDirectory: join(directory, 'state'),
	variables: {},
	isThorough: false,
	signal: AbortSignal.timeout(600_000),
	...more,
});

export const install = async (
	node: TestNode,
	source: string,
	more: Partial<InstallOptions> = {},
): Promise<InstallOutcome> => installOnNode(await toInstallOptions(node, source, more));

/** Whatever is done, only these tests of a message count. */
export const failsWith = async (
	t: ExecutionContext,
	promise: Promise<unknown>,
	...patterns: readonly RegExp[]
): Promise<void> => {
	const error = await t.throwsAsync(promise);
	for (const pattern of patterns) {
		t.regex(error.message, pattern);
	}
};

/**
Everything below a directory, with what `ls -lc` would show: a file that was only touched differs. Directories
change when something hidden came and went.
*/
export const describeFiles = (directory: string): string[] =>
	readdirSync(directory, {recursive: true, withFileTypes: true})
		.map(entry => join(entry.parentPath, entry.name))
		.sort()
		.map(path => {
			const {mode, size, ino, ctimeMs} = lstatSync(path);
			return (mode & 0o170000) === 0o040000 ? path : `${path} ${mode.toString(8)} ${size} ${ino} ${ctimeMs}`;
		});
