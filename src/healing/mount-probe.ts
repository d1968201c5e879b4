import {spawn, type ChildProcess} from 'node:child_process';
import {systemPath} from '../node/host/run-command.ts';

/** `unknown`: this machine has no stat(1) that can ask. */
export type ProbeAnswer = 'answers' | 'silent' | 'unknown';

/**
Asks a mount for its statfs, which the kernel always passes on to the file system. A child process asks: whoever
asks a hanging file system may be beyond the reach of signals until it answers or dies. Such a child is left alone,
and no other one is sent after it.
*/
export class MountProbe {
	#child: ChildProcess | undefined;

	async ask(path: string, timeoutMs: number): Promise<ProbeAnswer> {
		if (this.#child !== undefined) {
			return 'silent';
		}

		const child = spawn('stat', ['-f', path], {cwd: '/', env: {PATH: systemPath, LC_ALL: 'C'}, stdio: 'ignore'});
		this.#child = child;
		const {promise, resolve} = Promise.withResolvers<ProbeAnswer>();
		const gone = (answer: ProbeAnswer): void => {
			this.#child = undefined;
			resolve(answer);
		};

		child.on('error', () => gone('unknown'));
		// A failure such as ENOTCONN is an answer too: whether the daemon lives is looked at elsewhere.
		child.on('exit', (_code, signal) => gone(signal === null ? 'answers' : 'silent'));
		const timer = setTimeout(() => {
			child.kill('SIGKILL');
			child.unref();
			resolve('silent');
		}, timeoutMs);
		try {
			return await promise;
		} finally {
			clearTimeout(timer);
		}
	}
}
