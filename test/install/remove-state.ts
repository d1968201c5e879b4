/**
What `agent --uninstall` removes below the state directory, seen from another mount namespace, as from the agent's
container.
*/
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdirSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {createNodeRoot, reach} from '../../src/install/node-root.ts';
import {removeState} from '../../src/install/remove-state.ts';

test('a state directory that is a file system of its own stays mounted on the node, without what is ours in it', async t => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-remove-state-'));
	const stateDirectory = join(directory, 'state');
	mkdirSync(stateDirectory);
	const script = 'mount -t tmpfs none "$1" && mkdir "$1/locks" && echo >"$1/precious" && echo ready && exec cat';
	const node = spawn(
		'unshare',
		['--mount', '--propagation', 'private', '/bin/sh', '-c', script, 'sh', stateDirectory],
		{stdio: ['pipe', 'pipe', 'inherit']},
	);
	t.teardown(async () => {
		const ended = once(node, 'exit');
		node.stdin.end();
		await ended;
		rmSync(directory, {recursive: true, force: true});
	});
	await once(node.stdout, 'data');
	const root = createNodeRoot(node.pid);

	t.deepEqual(await removeState(root, {stateDirectory, runDirectory: join(directory, 'run')}), [
		`${stateDirectory}, which is a mount point`,
	]);

	t.true(existsSync(reach(root, join(stateDirectory, 'precious'))));
	t.false(existsSync(reach(root, join(stateDirectory, 'locks'))));
});
