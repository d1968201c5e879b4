import {constants} from 'node:fs';
import type {ExecutionContext} from 'ava';
import {errnoOf, type FsUnderTest, type PosixCase} from '../../../support/fs-under-test.ts';
import {readText, writeText} from '../../../support/fs-text.ts';

const {O_CREAT, O_RDONLY, O_WRONLY} = constants;

/** Directories, links and rename(2). */
export const nameCases: readonly PosixCase[] = [
	{
		title: 'mkdir() makes an empty directory, and fails where something is, below nothing and below a file',
		async run(t, fs) {
			await fs.mkdir('directory', 0o750);
			t.like(await fs.stat('directory'), {kind: 'directory', permissions: 0o750});
			t.deepEqual(await fs.readdir('directory'), []);
			await writeText(fs, 'file', '');
			t.is(await errnoOf(fs.mkdir('directory')), 'EEXIST');
			t.is(await errnoOf(fs.mkdir('file')), 'EEXIST');
			t.is(await errnoOf(fs.mkdir('missing/below')), 'ENOENT');
			t.is(await errnoOf(fs.mkdir('file/below')), 'ENOTDIR');
		},
	},
	{
		title: 'rmdir() removes an empty directory only',
		async run(t, fs) {
			await fs.mkdir('directory');
			await writeText(fs, 'directory/file', '');
			t.is(await errnoOf(fs.rmdir('directory')), 'ENOTEMPTY');
			t.is(await errnoOf(fs.rmdir('directory/file')), 'ENOTDIR');
			t.is(await errnoOf(fs.rmdir('missing')), 'ENOENT');
			await fs.unlink('directory/file');
			t.deepEqual(await fs.readdir('directory'), [], 'A directory outlives its last file');
			await fs.rmdir('directory');
			t.is(await errnoOf(fs.stat('directory')), 'ENOENT');
		},
	},
	{
		title: 'unlink() fails with EISDIR on a directory and with ENOENT on nothing',
		async run(t, fs) {
			await fs.mkdir('directory');
			t.is(await errnoOf(fs.unlink('directory')), 'EISDIR');
			t.is(await errnoOf(fs.unlink('missing')), 'ENOENT');
		},
	},
	{
		title: 'readdir() lists every entry once in a directory of 1,100',
		async run(t, fs) {
			const names = Array.from({length: 1100}, (_, index) => `entry-${index}`);
			await inBatches(names, async name => fs.mkdir(name));
			const listed: string[] = [];
			for await (const name of fs.walk('')) {
				listed.push(name);
			}

			t.deepEqual(listed.sort(), names.sort());
		},
	},
	{
		title: 'readdir() shows what stays exactly once while other entries come and go',
		async run(t, fs) {
			const stable = Array.from({length: 150}, (_, index) => `stable-${index}`);
			await inBatches([...stable, ...stable.map(name => name.replace('stable', 'doomed'))], async name =>
				fs.mkdir(name),
			);
			const seen: string[] = [];
			let step = 0;
			for await (const name of fs.walk('')) {
				seen.push(name);
				step++;
				if (step <= 100) {
					await fs.rmdir(`doomed-${150 - step}`);
					await fs.mkdir(`late-${step}`);
				}
			}

			t.deepEqual(seen.filter(name => name.startsWith('stable')).sort(), stable.sort());
			t.is(new Set(seen).size, seen.length);
		},
	},
	{
		title: 'symlink() keeps its target to the letter, dangling or not',
		async run(t, fs) {
			for (const [index, target] of [
				'file',
				'../up/and/away',
				'/absolute',
				'with spaces ünï',
				'x'.repeat(1000),
			].entries()) {
				await fs.symlink(target, `link-${index}`);
				t.is(await fs.readlink(`link-${index}`), target);
				t.like(await fs.stat(`link-${index}`), {kind: 'symlink', sizeBytes: Buffer.byteLength(target)});
			}

			t.is(await errnoOf(fs.symlink('again', 'link-0')), 'EEXIST');
			await writeText(fs, 'file', '');
			t.is(await errnoOf(fs.readlink('file')), 'EINVAL');
			t.is(await errnoOf(fs.readlink('missing')), 'ENOENT');
			await fs.unlink('link-0');
			t.is((await fs.stat('file')).kind, 'file');
		},
	},
	{
		title: 'rename() moves a file with content and attributes, also to another directory',
		async run(t, fs) {
			await writeText(fs, 'file', 'content');
			await fs.chmod('file', 0o640);
			await fs.mkdir('directory');
			await fs.rename('file', 'directory/moved');
			t.is(await errnoOf(fs.stat('file')), 'ENOENT');
			t.is(await readText(fs, 'directory/moved'), 'content');
			t.is((await fs.stat('directory/moved')).permissions, 0o640);
		},
	},
	{
		title: 'rename() replaces a file',
		async run(t, fs) {
			await writeText(fs, 'from', 'new');
			await writeText(fs, 'to', 'old');
			await fs.rename('from', 'to');
			t.is(await readText(fs, 'to'), 'new');
			t.deepEqual(await fs.readdir(''), ['to']);
		},
	},
	{
		title: 'rename() of a file onto itself changes nothing',
		async run(t, fs) {
			await writeText(fs, 'file', 'same');
			await fs.rename('file', 'file');
			t.is(await readText(fs, 'file'), 'same');
		},
	},
	{
		title: 'rename() moves a whole tree',
		async run(t, fs) {
			await makeTree(fs, 'tree');
			await fs.rename('tree', 'moved');
			t.is(await errnoOf(fs.stat('tree')), 'ENOENT');
			await assertTree(t, fs, 'moved');
		},
	},
	{
		title: 'rename() of a directory replaces an empty one, and fails with ENOTEMPTY on a full one',
		async run(t, fs) {
			await makeTree(fs, 'tree');
			await fs.mkdir('empty');
			await fs.rename('tree', 'empty');
			await assertTree(t, fs, 'empty');
			await fs.mkdir('other');
			t.is(await errnoOf(fs.rename('other', 'empty')), 'ENOTEMPTY');
			await assertTree(t, fs, 'empty');
		},
	},
	{
		title: 'rename() of a directory into itself fails with EINVAL',
		async run(t, fs) {
			await makeTree(fs, 'tree');
			t.is(await errnoOf(fs.rename('tree', 'tree/inside')), 'EINVAL');
			t.is(await errnoOf(fs.rename('tree', 'tree/branch/inside')), 'EINVAL');
			await assertTree(t, fs, 'tree');
		},
	},
	{
		title: 'rename() between a file and a directory fails with EISDIR or ENOTDIR, from nothing with ENOENT',
		async run(t, fs) {
			await writeText(fs, 'file', '');
			await fs.mkdir('directory');
			t.is(await errnoOf(fs.rename('file', 'directory')), 'EISDIR');
			t.is(await errnoOf(fs.rename('directory', 'file')), 'ENOTDIR');
			t.is(await errnoOf(fs.rename('missing', 'file')), 'ENOENT');
			t.is(await errnoOf(fs.rename('file', 'missing/below')), 'ENOENT');
		},
	},
	{
		title: 'rename() with RENAME_NOREPLACE refuses to replace',
		needs: 'extended',
		async run(t, fs) {
			await writeText(fs, 'from', 'one');
			await writeText(fs, 'to', 'two');
			t.is(await errnoOf(fs.extended!.renameWith('from', 'to', 'noReplace')), 'EEXIST'); // What the case needs.
			t.is(await readText(fs, 'to'), 'two');
			await fs.extended!.renameWith('from', 'free', 'noReplace');
			t.is(await readText(fs, 'free'), 'one');
		},
	},
	{
		title: 'names may hold anything but slash and NUL, up to 255 bytes',
		async run(t, fs) {
			const names = [
				' lead',
				'trail ',
				'two words',
				'tab\there',
				'new\nline',
				'quote\'"`',
				'back\\slash',
				'%2F',
				'a+b&c=d?e#f',
				'-rf',
				'.hidden',
				'...',
				'~',
				'*',
				'ünïcödé',
				'日本語',
				'🦀',
				'e\u0301',
				'\u00E9',
				'\u0001',
				'x'.repeat(255),
				'é'.repeat(127),
			];
			await inBatches(names, async name => writeText(fs, name, name));
			t.deepEqual((await fs.readdir('')).sort(), [...names].sort());
			for (const name of names) {
				t.is(await readText(fs, name), name);
			}

			await inBatches(names, async name => fs.unlink(name));
			t.deepEqual(await fs.readdir(''), []);
		},
	},
	{
		title: 'names longer than 255 bytes fail with ENAMETOOLONG',
		async run(t, fs) {
			for (const name of ['x'.repeat(256), 'é'.repeat(128)]) {
				t.is(await errnoOf(fs.open(name, O_CREAT | O_WRONLY)), 'ENAMETOOLONG');
				t.is(await errnoOf(fs.mkdir(name)), 'ENAMETOOLONG');
				t.is(await errnoOf(fs.symlink('target', name)), 'ENAMETOOLONG');
			}
		},
	},
	{
		title: 'looking for a name longer than 255 bytes fails with ENAMETOOLONG',
		needs: 'host',
		async run(t, fs) {
			t.is(await errnoOf(fs.open('x'.repeat(256), O_RDONLY)), 'ENAMETOOLONG');
			t.is(await errnoOf(fs.stat('é'.repeat(128))), 'ENAMETOOLONG');
		},
	},
];

/** Sixteen at a time: enough to be quick, few enough for a mount. */
const inBatches = async (names: readonly string[], act: (name: string) => Promise<void>): Promise<void> => {
	for (let index = 0; index < names.length; index += 16) {
		await Promise.all(names.slice(index, index + 16).map(act));
	}
};

const makeTree = async (fs: FsUnderTest, path: string): Promise<void> => {
	await fs.mkdir(path);
	await fs.mkdir(`${path}/branch`);
	await fs.mkdir(`${path}/empty`);
	await writeText(fs, `${path}/leaf`, 'one');
	await writeText(fs, `${path}/branch/leaf`, 'two');
	await fs.symlink('leaf', `${path}/branch/link`);
};

const assertTree = async (t: ExecutionContext, fs: FsUnderTest, path: string): Promise<void> => {
	t.deepEqual((await fs.readdir(path)).sort(), ['branch', 'empty', 'leaf']);
	t.deepEqual((await fs.readdir(`${path}/branch`)).sort(), ['leaf', 'link']);
	t.deepEqual(await fs.readdir(`${path}/empty`), []);
	t.is(await readText(fs, `${path}/leaf`), 'one');
	t.is(await readText(fs, `${path}/branch/leaf`), 'two');
	t.is(await fs.readlink(`${path}/branch/link`), 'leaf');
};
