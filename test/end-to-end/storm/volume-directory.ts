import {execFile} from 'node:child_process';
import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import test from 'ava';
import {createTestDirectory} from '../../support/dev-server.ts';

const run = promisify(execFile);
const userPath = fileURLToPath(new URL('support/volume-directory-user.ts', import.meta.url));

test("a volume's directory that one process removes is never the one that the next has just made", async t => {
	const directory = await createTestDirectory(t);
	await t.notThrowsAsync(
		Promise.all(
			Array.from({length: 4}, async () =>
				run(process.execPath, ['--disable-warning=ExperimentalWarning', userPath, directory, '40'], {timeout: 600_000}),
			),
		),
	);
	t.deepEqual(readdirSync(join(directory, 'volumes')), []);
});
