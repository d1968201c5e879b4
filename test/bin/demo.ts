import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {readMountTable} from '../../src/node/mounts/mount-table.ts';

const demoPath = fileURLToPath(new URL('../../dist/bin/demo.js', import.meta.url));

/** Starts the demo with a temporary directory of its own. */
const startDemo = (t: ExecutionContext, ...flags: readonly string[]) => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-t-'));
	const child = spawn(process.execPath, [demoPath, ...flags], {
		env: {...process.env, TMPDIR: directory},
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	t.teardown(() => {
		child.kill('SIGTERM');
		rmSync(directory, {recursive: true, force: true});
	});
	let output = '';
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding('utf8').on('data', (text: string) => {
			output += text;
		});
	}

	return {child, directory, output: () => output, ended: once(child, 'close').then(([code]) => code as number | null)};
};

/** Empty for a process that has ended. */
const readCommand = (pid: string): string => {
	try {
		return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
	} catch {
		return '';
	}
};

const assertNothingLeft = (t: ExecutionContext, directory: string): void => {
	t.deepEqual(readdirSync(directory), []);
	t.deepEqual(
		readMountTable().filter(({path}) => path.startsWith(directory)),
		[],
	);
	const commands = readdirSync('/proc')
		.filter(name => /^\d+$/.test(name))
		.map(pid => readCommand(pid));
	t.deepEqual(
		commands.filter(command => command.includes(directory)),
		[],
	);
};

test.serial('the demo ends with exit code 0, shows files as objects, and leaves nothing behind', async t => {
	const demo = startDemo(t);
	t.is(await demo.ended, 0, demo.output());
	t.regex(demo.output(), /driver init .*"supportsMetrics":true/);
	t.regex(demo.output(), /s3:\/\/web-media\/images\/hello\.txt {3}17 bytes/);
	t.regex(demo.output(), /web-2 \$ cat images\/hello\.txt .*\n +hello from web-1\n/);
	t.regex(demo.output(), /third line, from web-2/);
	t.regex(demo.output(), /written by an S3 client/);
	assertNothingLeft(t, demo.directory);
});

test.serial('the demo with --keep stays up until Ctrl-C, and then leaves nothing behind', async t => {
	const demo = startDemo(t, '--keep');
	while (!demo.output().includes('Ctrl-C takes it down')) {
		await Promise.race([
			once(demo.child.stdout, 'data'),
			demo.ended.then(() => {
				throw new Error(demo.output());
			}),
		]);
	}

	t.true(readMountTable().some(({path}) => path.startsWith(demo.directory)));
	demo.child.kill('SIGINT');
	t.is(await demo.ended, 0, demo.output());
	assertNothingLeft(t, demo.directory);
});

test.serial('the demo leaves nothing behind when nobody reads it to its end', async t => {
	const demo = startDemo(t);
	await once(demo.child.stdout, 'data');
	demo.child.stdout.destroy();
	const [code] = (await once(demo.child, 'exit')) as [number | null];
	t.is(code, 0);
	assertNothingLeft(t, demo.directory);
});
