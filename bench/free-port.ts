import {createServer, type AddressInfo} from 'node:net';

/** A TCP port of the loopback interface that nobody listens on now. */
export const findFreePort = async (): Promise<number> => {
	const server = createServer();
	await new Promise<void>((resolve, reject) => {
		server.once('error', reject);
		server.listen(0, '127.0.0.1', resolve);
	});
	const {port} = server.address() as AddressInfo; // It listens on a TCP port.
	await new Promise(resolve => {
		server.close(resolve);
	});
	return port;
};
