/** Two builds of a copy of this checkout, and the `npx` lines of the README in what they leave. */
import {execFile, spawn} from 'node:child_process';
import {once} from 'node:events';
import {
	cpSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {promisify} from 'node:util';
import test from 'ava';
import {mountsAt, readMountTable} from '../../src/node/mounts/mount-table.ts';
import {spawnTestDevServer} from '../support/dev-server.ts';
import {createDriverHarness} from '../support/driver.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const checkout = mkdtempSync(join(tmpdir(), 'pnx-volume-checkout-'));
const build = async (): Promise<void> => {
	await run(process.execPath, ['scripts/build.ts'], {cwd: checkout});
};

/** Every file below dist/ with what a rebuild could change. */
const describeBuild = (): string[] =>
	readdirSync(join(checkout, 'dist'), {recursive: true, encoding: 'utf8'})
		.map(name => ({name, status: statSync(join(checkout, 'dist', name))}))
		.filter(({status}) => status.isFile())
		.map(({name, status}) => `${name} ${status.ino} ${status.mode.toString(8)}`)
		.sort();

/** The lines of the README that begin with `npx`, without their comments. */
const npxLines = readFileSync(join(root, 'README.md'), 'utf8')
	.split('\n')
	.filter(line => line.startsWith('npx '))
	.map(line => line.replace(/\s+#.*$/, ''));

/** Lines that stay until Ctrl-C. */
const staysUp = (line: string): boolean => / (?:mount|dev-server) /.test(line) && !line.includes('--background');

test.before('a copy of the checkout', () => {
	for (const name of ['src', 'scripts', 'driver', 'package.json', 'tsconfig.json', '.npmrc']) {
		cpSync(join(root, name), join(checkout, name), {recursive: true});
	}

	symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));
});

test.after.always('the copy is removed', () => {
	rmSync(checkout, {recursive: true, force: true});
});

test.serial('a second build changes nothing, and one that fails or drops a file leaves the rest as it was', async t => {
	t.timeout(600_000);
	await build();
	const first = describeBuild();
	t.true(first.some(line => /^bin\/pnx-volume\.js \d+ 100755$/.test(line)));
	writeFileSync(join(checkout, 'dist/of-a-file-that-is-gone.js'), '');
	await build();
	t.deepEqual(describeBuild(), first);

	writeFileSync(join(checkout, 'src/wrong.ts'), 'export const wrong: string = 1;\n');
	const error = await t.throwsAsync<Error & {stdout: string}>(build());
	t.regex(error?.stdout ?? '', /wrong\.ts/);
	t.deepEqual(describeBuild(), first);
	rmSync(join(checkout, 'src/wrong.ts'));
	t.deepEqual(
		readdirSync(checkout).filter(name => name.startsWith('dist')),
		['dist'],
	);
});

test.serial('the npx lines of the README work after two builds', async t => {
	t.timeout(600_000);
	t.true(npxLines.length > 5);
	const node = createDriverHarness(t);
	const server = await spawnTestDevServer(t);
	const directory = mkdtempSync(join(tmpdir(), 'pnx-volume-readme-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	const files = join(directory, 'files');
	mkdirSync(files);
	const env = {
		...process.env,
		...node.variables,
		// npx keeps a link to the checkout in its cache. It sets the run bit when it makes the link, and never again.
		npm_config_cache: join(directory, 'npm'),
		AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
		AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
	};
	/** The line with the places of this test. */
	const toCommand = (line: string): string => {
		const here = line
			.replace('/mnt/files', files)
			.replace('/tmp/s3', join(directory, 's3'))
			.replace('https://minio.example', server.endpoint)
			// The mounts have created the bucket already, in another region.
			.replace('provision my-files', 'provision my-new-files');
		const asksS3 = / (?:mount|doctor|provision) /.test(line) && !line.includes('--endpoint');
		return asksS3 ? `${here} --endpoint ${server.endpoint} --path-style` : here;
	};

	const runUntilItSaysSomething = async (line: string): Promise<void> => {
		const child = spawn('sh', ['-c', toCommand(line)], {cwd: checkout, env, detached: true});
		const {pid = 0} = child;
		let output = '';
		let hasEnded = false;
		const ended = once(child, 'close').then(() => {
			hasEnded = true;
		});
		t.teardown(() => hasEnded || process.kill(-pid, 'SIGKILL'));
		child.stderr.setEncoding('utf8').on('data', (text: string) => {
			output += text;
		});
		await Promise.race([once(child.stdout, 'data'), ended]);
		t.false(hasEnded, `${line}: ${output}`);
		// As Ctrl-C on a terminal does it: to the whole group.
		process.kill(-pid, 'SIGINT');
		await ended;
		t.deepEqual(mountsAt(readMountTable(), files), [], line);
	};

	await run('npx', ['pnx-volume', '--version'], {cwd: checkout, env});
	await build();
	// The lines are a choice, not a sequence: a directory can be mounted by one of them at a time.
	for (const line of npxLines.filter(line => staysUp(line))) {
		await runUntilItSaysSomething(line);
	}

	for (const line of npxLines.filter(line => !staysUp(line))) {
		if (line.includes(' warmup ')) {
			// The volume is mounted in the background by now.
			mkdirSync(join(files, 'models'));
			writeFileSync(join(files, 'models/one'), 'a model');
		}

		const {code, stderr} = await run('sh', ['-c', toCommand(line)], {cwd: checkout, env}).then(
			() => ({code: 0, stderr: ''}),
			(error: unknown) => error as {code: number; stderr: string},
		);
		// The doctor of a machine that is not a node finds something to say, with 1.
		t.true(code === 0 || (line.includes(' doctor ') && code === 1), `${line}: ${code} ${stderr}`);
	}
});
