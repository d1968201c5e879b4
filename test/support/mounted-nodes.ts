import {spawn} from 'node:child_process';
import {chmod, mkdir, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';

/** Two mounts of one bucket, with a kernel in between: `a` and `b` are as on two nodes. */
export type MountedNodes = {
	readonly a: string;
	readonly b: string;
	/** What the process wrote to its standard error so far. */
	log(): string;
	/** Unmounts, ends the process and removes the directories. */
	close(): Promise<void>;
};

const fixture = fileURLToPath(new URL('../fixtures/mount-two-nodes.ts', import.meta.url));

export const mountNodes = async (): Promise<MountedNodes> => {
	const directory = await mkdtemp(join(tmpdir(), 'pnx-nodes-'));
	await chmod(directory, 0o755); // Other users have to get in.
	const [a, b] = [join(directory, 'a'), join(directory, 'b')];
	await mkdir(a);
	await mkdir(b);
	const child = spawn(process.execPath, [fixture, directory], {stdio: ['pipe', 'pipe', 'pipe']});
	const exited = new Promise(resolve => {
		child.once('exit', resolve);
	});
	let log = '';
	child.stderr.setEncoding('utf8').on('data', (text: string) => {
		log += text;
	});
	const isReady = await new Promise<boolean>(resolve => {
		createInterface({input: child.stdout})
			.once('line', () => resolve(true))
			.once('close', () => resolve(false));
	});
	const close = async (): Promise<void> => {
		child.stdin.end();
		await exited;
		await rm(directory, {recursive: true, force: true, maxRetries: 3});
	};

	if (!isReady) {
		await close();
		throw new Error(`Cannot mount two nodes below ${directory}: ${log}`);
	}

	return {a, b, log: () => log, close};
};
