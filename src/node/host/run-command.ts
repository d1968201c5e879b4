import {spawn} from 'node:child_process';
import {toOneLine} from '../../model/error-text.ts';
import type {Deadline} from '../deadline.ts';

export type CommandResult = {
	/** `undefined` when it could not be started, was killed, or did not end in time. */
	readonly exitCode: number | undefined;
	/** What it said, on one line. */
	readonly message: string;
};

/** Where mount(8) and its kin live; the caller's own PATH (and LD_*) does not count for what runs as root. */
export const systemPath = '/usr/sbin:/usr/bin:/sbin:/bin';

const outputLengthMax = 2000;

/**
Runs a command of the system without a shell. At the deadline it is killed and given up: a command that hangs in the
kernel on a dead server cannot be waited for, so this does not wait for its end.
*/
export const runCommand = async (
	command: string,
	args: readonly string[],
	deadline: Deadline,
): Promise<CommandResult> => {
	const {promise, resolve} = Promise.withResolvers<CommandResult>();
	const child = spawn(command, args, {
		cwd: '/',
		env: {PATH: systemPath, LC_ALL: 'C'},
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	let output = '';
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding('utf8').on('data', (text: string) => {
			output = (output + text).slice(0, outputLengthMax);
		});
	}

	const message = () => toOneLine(output);
	child.on('error', error =>
		resolve({exitCode: undefined, message: `${command} could not be started: ${error.message}`}),
	);
	child.on('close', (code, signal) =>
		resolve({exitCode: code ?? undefined, message: signal === null ? message() : `${command} was ended by ${signal}`}),
	);
	const timer = setTimeout(() => {
		child.kill('SIGKILL');
		child.unref();
		child.stdout.destroy();
		child.stderr.destroy();
		resolve({exitCode: undefined, message: `${command} did not end in time`});
	}, deadline.remainingMs());
	try {
		return await promise;
	} finally {
		clearTimeout(timer);
	}
};
