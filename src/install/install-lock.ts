import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {join} from 'node:path';
import {NodeError} from '../node/node-error.ts';
import {systemPath} from '../node/host/run-command.ts';
import {reach, type NodeRoot} from './node-root.ts';

export const lockName = '.install.lock';

const lockMs = 120_000;

/** Takes the lock, says so, and keeps it for as long as it can read. busybox's flock takes a descriptor as well. */
const script = 'umask 077; exec 9>>"$1" && flock 9 && echo locked && exec cat';

/**
Installers and uninstallers of one node, one after the other. The kernel's lock is held by a child that ends with
this process, however that dies. SQLite, which locks volumes, cannot: it follows `/proc/<pid>/root` by its text,
which is `/`.
*/
export const withInstallLock = async <Result>(
	root: NodeRoot,
	directory: string,
	work: () => Promise<Result>,
): Promise<Result> => {
	const path = reach(root, join(directory, lockName));
	const child = spawn('/bin/sh', ['-c', script, 'sh', path], {
		cwd: '/',
		env: {PATH: systemPath, LC_ALL: 'C'},
		stdio: ['pipe', 'pipe', 'pipe'],
	});
	const closed = once(child, 'close');
	let message = '';
	child.stderr.setEncoding('utf8').on('data', (text: string) => {
		message = (message + text).slice(0, 500);
	});
	child.stdin.on('error', error => {
		message ||= error.message;
	});
	try {
		const timer = setTimeout(() => child.kill('SIGKILL'), lockMs);
		const [first] = (await Promise.race([once(child.stdout, 'data'), closed])) as [unknown];
		clearTimeout(timer);
		if (String(first) !== 'locked\n') {
			throw new NodeError(
				child.killed
					? `Another installer is still busy in ${directory} on the node; it is tried again`
					: `Cannot lock ${join(directory, lockName)} on the node: ${message || 'flock(1) failed'}`,
			);
		}

		return await work();
	} finally {
		child.stdin.end();
		await closed;
	}
};
