import {spawn} from 'node:child_process';
import {chmod, mkdir, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';

export type ChildMount = {
	readonly mountPoint: string;
	readonly pid: number;
	/** `ready`, or `asked` when it is mute and was asked before it was. */
	readonly firstLine: string;
	/** What the process wrote to its standard error so far. */
	log(): string;
	/** The exit code of the process, when it has ended. */
	readonly exited: Promise<number | null>;
	/** Unmounts, ends the process and removes the directory; resolves to its exit code. */
	close(): Promise<number | null>;
};

const fixture = fileURLToPath(new URL('mount-memory-file-system.ts', import.meta.url));

/** Mounts a file system in memory, held by a child process: a process must not touch its own mount. */
export const mountInChild = async (
	options: {readOnly?: boolean; isEachLogged?: boolean; isMute?: boolean; isStuck?: boolean; isFilled?: boolean} = {},
): Promise<ChildMount> => {
	const directory = await mkdtemp(join(tmpdir(), 'pnx-mount-'));
	const mountPoint = join(directory, 'mount');
	await chmod(directory, 0o755); // Other users have to get in.
	await mkdir(mountPoint);
	const flags = [
		options.readOnly === true ? 'read-only' : '',
		options.isEachLogged === true ? 'debug' : '',
		options.isMute === true ? 'mute' : '',
		options.isStuck === true ? 'stuck' : '',
		options.isFilled === true ? 'filled' : '',
	].join(',');
	const child = spawn(process.execPath, [fixture, mountPoint, flags], {stdio: ['pipe', 'pipe', 'pipe']});
	const exited = new Promise<number | null>(resolve => {
		child.once('exit', resolve);
	});
	let log = '';
	child.stderr.setEncoding('utf8').on('data', (text: string) => {
		log += text;
	});

	const firstLine = await new Promise<string | undefined>(resolve => {
		createInterface({input: child.stdout})
			.once('line', resolve)
			.once('close', () => resolve(undefined));
	});
	if (firstLine === undefined) {
		throw new Error(`Cannot mount on ${mountPoint}: ${log}`);
	}

	return {
		mountPoint,
		pid: child.pid!, // It wrote a line, so it runs.
		firstLine,
		exited,
		log: () => log,
		async close() {
			child.stdin.end();
			const code = await exited;
			await rm(directory, {recursive: true, force: true, maxRetries: 3});
			return code;
		},
	};
};
