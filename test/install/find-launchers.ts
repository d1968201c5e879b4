import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {findLaunchers} from '../../src/install/find-launchers.ts';
import {knownPluginDirectories} from '../../src/node/host/plugin-directories.ts';
import {createTreesDirectory, install} from './support/install-node.ts';
import {createLocalNode} from './support/private-node.ts';
import {buildRuntimeTree} from './support/runtime-tree.ts';

const trees = createTreesDirectory(remove => test.after.always(remove));

test('the README names every plugin directory that the uninstaller looks at, the default first', t => {
	const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
	t.deepEqual(
		knownPluginDirectories.filter(directory => !readme.includes(`\`${directory}\``)),
		[],
	);
});

test('an installed driver tells where its runtime is and which variables its agent had', async t => {
	const node = createLocalNode(t);
	const variables = {PNX_VOLUME_LOG: join(node.directory, 'log'), PNX_VOLUME_STATE_DIR: join(node.directory, 'state')};
	const {driverPath} = await install(node, buildRuntimeTree(join(trees, 'first')), {variables});
	const [launcher, ...others] = findLaunchers(node.root, [
		join(node.directory, 'opt'),
		join(node.directory, 'plugins'),
		join(node.directory, 'opt/../plugins'),
	]);
	t.like(launcher, {path: driverPath, runtimeDirectory: join(node.directory, 'opt/pnx-volume'), variables});
	t.deepEqual(others, []);
});
