import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdirSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {createNodeRoot, type NodeRoot} from '../../../src/install/node-root.ts';

export type PrivateNode = {
	readonly pid: number;
	readonly root: NodeRoot;
	/** A directory that only the node has something in: as the node sees it, and as this process does. */
	readonly directory: string;
	readonly reached: string;
};

/**
"The node" for an agent in "a container": a process with a mount namespace of its own, and in it a tmpfs that nobody
else sees. `script` sets up more of it; the directory is its `$1`.
*/
export const startPrivateNode = async (t: ExecutionContext, script = ''): Promise<PrivateNode> => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-node-'));
	const setUp = `set -e; mount -t tmpfs -o mode=755 tmpfs "$1"; cd "$1"; mkdir opt plugins state run; ${script}\necho ready; exec cat`;
	const child = spawn('unshare', ['--mount', '--propagation', 'slave', '/bin/sh', '-c', setUp, 'sh', directory], {
		stdio: ['pipe', 'pipe', 'inherit'],
	});
	t.teardown(async () => {
		const exited = once(child, 'exit');
		child.stdin.end();
		await exited;
		rmSync(directory, {recursive: true, force: true});
	});
	await Promise.race([
		once(child.stdout, 'data'),
		once(child, 'exit').then(() => {
			throw new Error('The private node could not be set up; what went wrong is above');
		}),
	]);
	const root = createNodeRoot(child.pid);
	return {pid: child.pid!, root, directory, reached: join(root.prefix, directory)}; // It has started, so it has a pid.
};

/** A node that is this machine: the same directories below a temporary one. */
export const createLocalNode = (t: ExecutionContext): Omit<PrivateNode, 'pid'> => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-node-'));
	for (const name of ['opt', 'plugins', 'state', 'run']) {
		mkdirSync(join(directory, name));
	}

	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	return {root: createNodeRoot(undefined), directory, reached: directory};
};
