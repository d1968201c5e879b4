import {existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {preparePodDirectory, removePodDirectory, resolveMountPath} from '../../../src/node/mounts/pod-directory.ts';

const createDirectory = (t: ExecutionContext): string => {
	const directory = realpathSync(mkdtempSync(join(tmpdir(), 'pnx-pod-')));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	return directory;
};

test('links among the parents of a mount path are followed, its last component is not looked at', t => {
	const directory = createDirectory(t);
	mkdirSync(join(directory, 'real'));
	symlinkSync('real', join(directory, 'link'));
	symlinkSync('/', join(directory, 'real/last'));
	t.is(resolveMountPath(join(directory, 'link/new')), join(directory, 'real/new'));
	t.is(resolveMountPath(join(directory, 'link/last')), join(directory, 'real/last'));
	t.is(resolveMountPath(join(directory, 'absent/new')), undefined);
});

test('a missing directory is made one level deep, and taken back', t => {
	const path = join(createDirectory(t), 'volume');
	t.deepEqual(preparePodDirectory(path), {created: true});
	t.is(statSync(path).mode & 0o777, 0o750);
	t.deepEqual(preparePodDirectory(path), {created: false});
	removePodDirectory(path);
	t.false(existsSync(path));
	t.notThrows(() => removePodDirectory(path));
	t.throws(() => preparePodDirectory(join(path, 'deeper')), {message: /cannot be created/});
});

test('nothing is mounted over files, at a link or at a file', t => {
	const directory = createDirectory(t);
	writeFileSync(join(directory, 'file'), '');
	symlinkSync('file', join(directory, 'link'));
	t.throws(() => preparePodDirectory(directory), {message: /the directory is not empty/});
	t.throws(() => preparePodDirectory(join(directory, 'file')), {message: /no directory|not a directory/});
	t.throws(() => preparePodDirectory(join(directory, 'link')), {message: /symbolic link/});
	removePodDirectory(directory);
	t.true(existsSync(join(directory, 'file')), 'A directory with files stays');
});
