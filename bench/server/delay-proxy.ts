import {connect, createServer, type AddressInfo, type Socket} from 'node:net';
import {ConnectionMeter} from './connection-meter.ts';
import {DelayLine} from './delay-line.ts';
import {RequestMeter} from './request-meter.ts';

export type DelayProxy = {
	readonly port: number;
	readonly meter: RequestMeter;
	close(): Promise<void>;
};

export type DelayProxyOptions = {
	/** The server to stand before. */
	readonly host: string;
	readonly port: number;
	/** Of a round trip: half of it each way, and one more for a new connection, as TCP needs it. */
	readonly latencyMs: number;
};

/** On its way in each direction of a connection; at 10 ms that is 1.6 GB/s. */
const heldBytesMax = 16 * 2 ** 20;
/** Arrived, and not taken yet: a server must not send on and on to a client that has read enough. */
const arrivedBytesMax = 2 ** 20;

/**
Passes the bytes of every connection on, late and unchanged, and counts the requests among them. It delays and does
not limit: a connection of any latency has the bandwidth of the loopback interface. Requests keep their Host header, so
their signatures hold.
*/
export const startDelayProxy = async ({host, port, latencyMs}: DelayProxyOptions): Promise<DelayProxy> => {
	const meter = new RequestMeter();
	const sockets = new Set<Socket>();
	const server = createServer({allowHalfOpen: true, noDelay: true}, client => {
		const upstream = connect({host, port, allowHalfOpen: true, noDelay: true});
		for (const socket of [client, upstream]) {
			sockets.add(socket);
			socket.on('close', () => sockets.delete(socket));
		}

		join({client, upstream, latencyMs, connection: new ConnectionMeter(meter)});
	});
	await new Promise<void>((resolve, reject) => {
		server.once('error', reject);
		server.listen(0, '127.0.0.1', resolve);
	});
	return {
		port: (server.address() as AddressInfo).port, // It listens on a TCP port.
		meter,
		async close() {
			const closed = new Promise(resolve => {
				server.close(resolve);
			});
			for (const socket of sockets) {
				socket.destroy();
			}

			await closed;
		},
	};
};

type Pair = {client: Socket; upstream: Socket; latencyMs: number; connection: ConnectionMeter};

const join = ({client, upstream, latencyMs, connection}: Pair): void => {
	const delayMs = latencyMs / 2;
	const up = passOn({from: client, to: upstream, delayMs, closedMs: latencyMs, onDelivered: () => undefined});
	const down = passOn({
		from: upstream,
		to: client,
		delayMs,
		closedMs: 0,
		onDelivered: data => connection.takeReceived(data),
	});
	client.on('data', (data: Buffer) => {
		connection.takeSent(data);
		up.push(data);
	});
	upstream.on('data', (data: Buffer) => down.push(data));
	const breakOff = (): void => {
		connection.close();
		up.clear();
		down.clear();
		client.destroy();
		upstream.destroy();
	};

	client.on('error', breakOff);
	upstream.on('error', breakOff);
	client.on('close', breakOff);
	// Its last bytes may still be on their way to the client.
	upstream.on('close', () => down.push(undefined));
};

type Direction = {
	from: Socket;
	to: Socket;
	delayMs: number;
	closedMs: number;
	onDelivered: (data: Buffer) => void;
};

/** The line between two sockets; `from` waits while too much is on its way. */
const passOn = ({from, to, delayMs, closedMs, onDelivered}: Direction): DelayLine => {
	const line = new DelayLine({
		delayMs,
		closedMs,
		deliver(data) {
			if (data === undefined) {
				to.end();
			} else if (!to.destroyed) {
				onDelivered(data);
				to.write(data, balance);
			}
		},
	});
	const balance = (): void => {
		if (line.heldBytes > heldBytesMax || to.writableLength > arrivedBytesMax) {
			from.pause();
		} else if (from.isPaused()) {
			from.resume();
		}
	};

	from.on('data', balance);
	from.on('end', () => line.push(undefined));
	return line;
};
