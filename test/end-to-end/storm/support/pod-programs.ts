import {spawn} from 'node:child_process';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import type {PodAnswer, PodRequest} from './pod-program-script.ts';

export type PodPrograms = {
	/** Rejects with the program's error, or when it has no answer in time. */
	readonly run: (request: PodRequest, timeoutMs?: number) => Promise<PodAnswer>;
	readonly kill: () => void;
};

const scriptPath = fileURLToPath(new URL('pod-program-script.ts', import.meta.url));

/** Many pods use their volumes at once, and each use occupies a thread. */
const threadCount = 128;

/** Starts the process that is every pod's program; killed after the test. */
export const startPodPrograms = (t: Pick<ExecutionContext, 'teardown'>): PodPrograms => {
	const child = spawn(process.execPath, [scriptPath], {
		cwd: '/',
		env: {...process.env, UV_THREADPOOL_SIZE: String(threadCount)},
		stdio: ['pipe', 'pipe', 'inherit'],
	});
	const waiting = new Map<number, (answer: PodAnswer) => void>();
	let count = 0;
	createInterface({input: child.stdout}).on('line', line => {
		const {id, answer} = JSON.parse(line) as {id: number; answer: PodAnswer};
		waiting.get(id)?.(answer);
		waiting.delete(id);
	});
	const kill = (): void => {
		child.kill('SIGKILL');
	};

	t.teardown(kill);
	return {
		kill,
		async run(request, timeoutMs = 300_000) {
			const id = count++;
			const {promise, resolve} = Promise.withResolvers<PodAnswer>();
			const timer = setTimeout(() => resolve({error: `no answer within ${timeoutMs / 1000} s`}), timeoutMs);
			waiting.set(id, resolve);
			child.stdin.write(`${JSON.stringify({id, request})}\n`);
			const answer = await promise;
			clearTimeout(timer);
			if (answer.error !== undefined) {
				throw new Error(`${request.does} ${request.path}: ${answer.error}`);
			}

			return answer;
		},
	};
};
