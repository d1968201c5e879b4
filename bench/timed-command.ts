import {execa} from 'execa';

/** A command took longer than it may. */
export class BoundExceededError extends Error {
	override readonly name = 'BoundExceededError';
	readonly boundSeconds: number;

	constructor(boundSeconds: number) {
		super(`did not end within ${Math.round(boundSeconds)} s`);
		this.boundSeconds = boundSeconds;
	}
}

export type Timed = {readonly seconds: number; readonly stdout: string};

/** What a command that was killed gets to end: one that waits in a mount ends only when that is taken away. */
const killMs = 2000;

/**
Runs a bash script in a process group of its own, as no process may wait for its own mount, and takes the time. It
fails with the end of what the script printed, when the bound is over, or when the signal ends it; then all of the
group is killed.
*/
export const runTimed = async (
	script: string,
	{boundMs, home, signal}: {boundMs: number; home: string; signal: AbortSignal},
): Promise<Timed> => {
	signal.throwIfAborted();
	const startedMs = performance.now();
	const child = execa('bash', ['-euc', script], {
		stdin: 'ignore',
		detached: true,
		cleanup: false,
		reject: false,
		cwd: '/',
		env: {PATH: process.env['PATH'] ?? '', HOME: home, LC_ALL: 'C', GIT_CONFIG_NOSYSTEM: '1'},
		extendEnv: false,
	});
	const bound = Promise.withResolvers<'bound'>();
	const timer = setTimeout(bound.resolve, boundMs, 'bound');
	const onAbort = (): void => bound.resolve('bound');
	signal.addEventListener('abort', onAbort, {once: true});
	const ended = child.then(result => ({result, seconds: (performance.now() - startedMs) / 1000}));
	try {
		const outcome = await Promise.race([ended, bound.promise]);
		if (outcome === 'bound') {
			killGroup(child.pid);
			await Promise.race([ended, new Promise(resolve => setTimeout(resolve, killMs))]);
			signal.throwIfAborted();
			throw new BoundExceededError(boundMs / 1000);
		}

		const {result, seconds} = outcome;
		if (result.failed) {
			const why = result.stderr.trim().split('\n').slice(-2).join(' | ').slice(-300);
			throw new Error(`the command ended with ${result.exitCode ?? result.signal}: ${why || 'it printed no reason'}`);
		}

		return {seconds, stdout: result.stdout};
	} finally {
		clearTimeout(timer);
		signal.removeEventListener('abort', onAbort);
	}
};

const killGroup = (leader: number | undefined): void => {
	try {
		if (leader !== undefined) {
			process.kill(-leader, 'SIGKILL');
		}
	} catch {
		// All of it has ended.
	}
};
