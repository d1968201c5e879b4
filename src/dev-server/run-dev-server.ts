import {DevServer, type DevServerOptions} from './dev-server.ts';

/**
Runs the server as this process until SIGINT or SIGTERM: writes `{"endpoint": ..., "port": ...}` as one line once it
answers, and resolves when everything is closed.
*/
export const runDevServer = async ({
	write = line => process.stdout.write(line),
	...options
}: DevServerOptions & {
	/** Takes the line; default: standard output. */
	readonly write?: ((line: string) => void) | undefined;
}): Promise<void> => {
	const server = await DevServer.start(options);
	write(`${JSON.stringify({endpoint: server.endpoint, port: server.port})}\n`);
	await new Promise<void>(resolve => {
		process.once('SIGINT', () => resolve());
		process.once('SIGTERM', () => resolve());
	});
	await server.close();
};
