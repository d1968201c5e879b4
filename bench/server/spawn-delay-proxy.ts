import {fork, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import path from 'node:path';
import type {DelayProxyOptions} from './delay-proxy.ts';
import type {RequestCount} from './request-meter.ts';

export type SpawnedProxy = {
	readonly url: string;
	/** What passed since the last reset. */
	read(): Promise<RequestCount>;
	reset(): Promise<void>;
	stop(): Promise<void>;
};

/** A delay proxy in a process of its own, which ends with this one. */
export const spawnDelayProxy = async (options: DelayProxyOptions): Promise<SpawnedProxy> => {
	const child = fork(path.join(import.meta.dirname, 'delay-proxy-process.ts'), [JSON.stringify(options)], {
		detached: true, // Ctrl-C is not for it: mounts come to their end through it.
	});
	const exited = once(child, 'exit');
	const {port} = (await nextMessage(child)) as {port: number};
	const ask = async (request: 'read' | 'reset'): Promise<RequestCount> => {
		const answer = nextMessage(child);
		child.send(request);
		return (await answer) as RequestCount;
	};

	return {
		url: `http://127.0.0.1:${port}`,
		read: async () => ask('read'),
		async reset() {
			await ask('reset');
		},
		async stop() {
			child.kill();
			await exited;
		},
	};
};

const nextMessage = async (child: ChildProcess): Promise<unknown> => {
	const ended = new AbortController();
	try {
		const [message] = (await Promise.race([
			once(child, 'message', {signal: ended.signal}),
			once(child, 'exit', {signal: ended.signal}).then(() => {
				throw new Error('The proxy before the S3 server ended');
			}),
		])) as [unknown];
		return message;
	} finally {
		ended.abort();
	}
};
