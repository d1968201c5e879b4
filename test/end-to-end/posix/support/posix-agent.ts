import {spawn} from 'node:child_process';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {pythonPath} from '../../../support/python.ts';

export type PosixAgent = {
	/** Makes one call of `posix-agent.py`; rejects with an Error that has the errno name as its code. */
	call(name: string, ...args: ReadonlyArray<string | number>): Promise<unknown>;
	close(): void;
};

const script = fileURLToPath(new URL('posix-agent.py', import.meta.url));

export const startPosixAgent = (): PosixAgent => {
	const child = spawn(pythonPath, [script], {stdio: ['pipe', 'pipe', 'inherit']});
	const lines = createInterface({input: child.stdout})[Symbol.asyncIterator]();
	let last: Promise<unknown> = Promise.resolve();

	const ask = async (request: readonly unknown[]): Promise<unknown> => {
		child.stdin.write(`${JSON.stringify(request)}\n`);
		const line = await lines.next();
		if (line.done === true) {
			throw new Error('The agent ended: see its output above');
		}

		const answer = JSON.parse(line.value) as {value?: unknown; errno?: string};
		if (answer.errno !== undefined) {
			throw Object.assign(new Error(`${answer.errno}: ${JSON.stringify(request)}`), {code: answer.errno});
		}

		return answer.value;
	};

	return {
		async call(...request) {
			// One at a time: answers come in the order of the requests.
			const answer = last.then(
				async () => ask(request),
				async () => ask(request),
			);
			last = answer;
			return answer;
		},
		close: () => child.stdin.end(),
	};
};
