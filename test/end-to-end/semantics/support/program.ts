import {spawn} from 'node:child_process';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {pythonPath} from '../../../support/python.ts';

/** A Python process that does what a test says, step by step: `program.py`. */
export type Program = {
	readonly pid: number;
	/**
	Runs lines of Python and resolves to the value of the last one, when that is an expression: bytes come as text of one
	character a byte. Rejects with an Error whose `code` is the errno's name when a call fails.
	*/
	run(lines: string): Promise<unknown>;
	/** Ends it as a program ends, and waits for that: what it holds open is closed. */
	close(): Promise<void>;
	/** SIGKILL. */
	kill(): void;
};

const script = fileURLToPath(new URL('program.py', import.meta.url));

export const startProgram = (directory: string, {runMsMax}: {runMsMax: number}): Program => {
	const child = spawn(pythonPath, [script, directory], {stdio: ['pipe', 'pipe', 'inherit']});
	const exited = new Promise<void>(resolve => {
		child.once('close', () => resolve());
	});
	child.stdin.on('error', () => undefined); // It has ended: the answer that does not come says so.
	const answers = createInterface({input: child.stdout})[Symbol.asyncIterator]();
	let last: Promise<unknown> = Promise.resolve();

	const ask = async (lines: string): Promise<unknown> => {
		child.stdin.write(`${JSON.stringify(lines)}\n`);
		const answer = await within(runMsMax, answers.next(), lines);
		if (answer.done === true) {
			throw new Error(`The program ended: ${lines}`);
		}

		const {value, errno, failure} = JSON.parse(answer.value) as {value?: unknown; errno?: string; failure?: string};
		if (failure !== undefined) {
			throw Object.assign(new Error(`${failure}${lines}`), errno === undefined ? {} : {code: errno});
		}

		return value;
	};

	return {
		pid: child.pid!, // `python3` is there: the tests that need it say so.
		async run(lines) {
			// One at a time: answers come in the order of the requests.
			const answer = last.then(async () => ask(lines));
			last = answer.catch(() => undefined);
			return answer;
		},
		async close() {
			child.stdin.end();
			await within(runMsMax, exited, 'the end of the program');
		},
		kill: () => void child.kill('SIGKILL'),
	};
};

const within = async <Value>(durationMs: number, promise: Promise<Value>, what: string): Promise<Value> => {
	const {promise: late, reject} = Promise.withResolvers<never>();
	const timer = setTimeout(() => reject(new Error(`No answer in ${durationMs} ms: ${what}`)), durationMs);
	try {
		return await Promise.race([promise, late]);
	} finally {
		clearTimeout(timer);
	}
};
