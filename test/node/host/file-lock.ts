import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {DatabaseSync} from 'node:sqlite';
import {setTimeout as delay} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {createDeadline} from '../../../src/node/deadline.ts';
import {tryWithLock, withLock} from '../../../src/node/host/file-lock.ts';

const lockPathOf = (t: ExecutionContext): string => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-lock-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	return join(directory, 'locks', 'a.db');
};

/** A process that takes the lock, says so, and holds it until it is killed. */
const startHolder = async (t: ExecutionContext, path: string) => {
	const script = fileURLToPath(new URL('support/lock-holder.ts', import.meta.url));
	const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, path], {
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	t.teardown(() => child.kill('SIGKILL'));
	await once(child.stdout, 'data');
	return child;
};

test('withLock() lets one at a time in, also when each removes the lock file', async t => {
	const path = lockPathOf(t);
	let inside = 0;
	let insideMax = 0;
	await Promise.all(
		Array.from({length: 6}, async (_, index) =>
			withLock(
				{
					path,
					what: 'a test',
					deadline: createDeadline(300_000),
					cleanUp() {
						if (index % 2 === 0) {
							rmSync(path);
						}
					},
				},
				async () => {
					inside++;
					insideMax = Math.max(insideMax, inside);
					await delay(5);
					inside--;
				},
			),
		),
	);
	t.is(insideMax, 1);
});

test('withLock() waits for another process, and takes over at once when that is killed', async t => {
	const path = lockPathOf(t);
	const holder = await startHolder(t, path);
	const error = await t.throwsAsync(
		withLock({path, what: 'bucket b', deadline: createDeadline(60)}, async () => undefined),
	);
	t.is(error.message, 'Another call is still busy with bucket b; try again later');
	holder.kill('SIGKILL');
	t.is(await withLock({path, what: 'bucket b', deadline: createDeadline(300_000)}, async () => 'taken'), 'taken');
});

test('withLock() frees the lock when the work fails', async t => {
	const path = lockPathOf(t);
	await t.throwsAsync(
		withLock({path, what: 'it', deadline: createDeadline(1000)}, async () => {
			throw new Error('no');
		}),
		{message: 'no'},
	);
	t.is(
		await withLock({path, what: 'it', deadline: createDeadline(0), cleanUp: () => rmSync(path)}, async () => 'free'),
		'free',
	);
	t.false(existsSync(path));
});

test('tryWithLock() makes no lock file anew that its holder removes while it is being opened', async t => {
	const path = lockPathOf(t);
	const removed = `${path}-removed`;
	mkdirSync(dirname(path));
	symlinkSync(removed, path); // The name is there when it is looked for, and no file when it is opened.
	t.false(
		await tryWithLock({path}, async () => {
			t.fail('There is nothing to lock');
		}),
	);
	t.false(existsSync(removed));
});

test.serial('tryWithLock() takes no lock on a file in whose place another one has come', async t => {
	const path = lockPathOf(t);
	const {exec} = DatabaseSync.prototype;
	t.teardown(() => {
		DatabaseSync.prototype.exec = exec;
	});
	// Between the look at the path and the lock, as another process does that held it.
	DatabaseSync.prototype.exec = function (sql) {
		DatabaseSync.prototype.exec = exec;
		rmSync(path);
		writeFileSync(path, '');
		this.exec(sql);
	};
	t.false(
		await tryWithLock({path}, async () => {
			t.fail('Whoever locks the file at the path is inside, too');
		}),
	);
	t.true(await tryWithLock({path}, async () => undefined));
});

test('withLock() tells why the work failed, also when the clean-up fails too', async t => {
	const path = lockPathOf(t);
	const cleanUp = (): void => {
		throw new Error('cannot clean up');
	};

	const lockIt = async (work: () => Promise<void>): Promise<void> =>
		withLock({path, what: 'it', deadline: createDeadline(1000), cleanUp}, work);
	await t.throwsAsync(
		lockIt(async () => {
			throw new Error('no');
		}),
		{message: 'no'},
	);
	await t.throwsAsync(
		lockIt(async () => undefined),
		{message: 'cannot clean up'},
	);
	t.true(await tryWithLock({path}, async () => undefined));
});
