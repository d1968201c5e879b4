import {chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {findHostTool} from '../../../src/node/host/host-tool.ts';
import {findRuntimeHome} from '../../../src/node/host/runtime-home.ts';

test("findHostTool() takes the packaged runtime's own tools, and never the host's namesakes there", t => {
	const tree = mkdtempSync(join(tmpdir(), 'pnx-tree-'));
	t.teardown(() => rmSync(tree, {recursive: true}));
	for (const directory of ['bin', 'lib']) {
		mkdirSync(join(tree, directory));
	}

	writeFileSync(join(tree, 'bin', 'setpriv'), '');
	chmodSync(join(tree, 'bin', 'setpriv'), 0o755);
	const loader = join(tree, 'lib', 'ld-linux-x86-64.so.2');
	t.is(findHostTool('setpriv', loader), join(tree, 'bin', 'setpriv'));
	t.is(findHostTool('chattr', loader), undefined);
});

test("findHostTool() finds the host's tools in a checkout", t => {
	t.regex(findHostTool('mount', process.execPath) ?? '', /^\/(?:usr\/)?s?bin\/mount$/);
	t.is(findHostTool('no-such-tool', process.execPath), undefined);
});

test('findRuntimeHome() gives the directory and version of the runtime that a script belongs to', t => {
	const {home, version} = findRuntimeHome(join(import.meta.dirname, '..', '..', '..', 'src', 'bin', 'daemon.ts'));
	t.is(home, join(import.meta.dirname, '..', '..', '..'));
	t.regex(version, /^\d+\.\d+\.\d+/);
});
