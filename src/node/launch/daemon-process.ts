import type {Readable} from 'node:stream';
import type {Deadline} from '../deadline.ts';

/** A daemon that runs and waits for its request. */
export type DaemonProcess = {
	readonly pid: number;
	/** Gives it all of its request. It may end before it has read anything; what it says, or its silence, tells us. */
	readonly sendRequest: (text: string) => void;
	/** On which it answers, in one line. */
	readonly readyPipe: Readable;
	/** Lets our process end while the daemon lives on. */
	readonly release: () => void;
};

/** What came from a pipe until a line's end, the pipe's end or the deadline; `gone` is another reason to stop. */
export const readLineBefore = async (
	pipe: Readable,
	deadline: Deadline,
	gone: Promise<unknown> = new Promise(() => undefined),
): Promise<string> => {
	const {promise, resolve} = Promise.withResolvers<string>();
	let received = '';
	const onData = (chunk: string): void => {
		received += chunk;
		if (received.includes('\n')) {
			resolve(received);
		}
	};
	const give = (): void => resolve(received);
	pipe.setEncoding('utf8').on('data', onData).on('error', give).on('end', give).on('close', give);
	const timer = setTimeout(give, deadline.remainingMs());
	void gone.then(give);
	try {
		return await promise;
	} finally {
		clearTimeout(timer);
		pipe.off('data', onData).off('end', give).off('close', give);
	}
};
