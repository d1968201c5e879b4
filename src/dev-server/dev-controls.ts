import type {IncomingMessage, ServerResponse} from 'node:http';
import {messageOf} from '../model/error-text.ts';
import {replaceFaultSettings, type FaultSettings} from './fault-settings.ts';
import type {RequestLog} from './request-log.ts';

export const devPathPrefix = '/_dev/';

const bodyBytesMax = 1 << 20;

/**
The switches over HTTP, for tests whose server is another process. Without a signature: the server listens on the
loopback address only, and no bucket name begins with an underscore.
- `GET /_dev/faults`, `PUT /_dev/faults` (JSON; what it does not name is turned off)
- `GET /_dev/requests?operation=NAME&key=PREFIX`: `{count, counts, requests}`; `DELETE /_dev/requests`
*/
export const handleDevRequest = async (
	parts: {faults: FaultSettings; requests: RequestLog},
	request: IncomingMessage,
	response: ServerResponse,
): Promise<void> => {
	const url = new URL(request.url ?? '/', 'http://localhost');
	switch (`${request.method} ${url.pathname.slice(devPathPrefix.length)}`) {
		case 'GET faults': {
			answerJson(response, 200, parts.faults);
			return;
		}

		case 'PUT faults': {
			try {
				replaceFaultSettings(parts.faults, JSON.parse(await readText(request)));
			} catch (error) {
				answerJson(response, 400, {message: messageOf(error)});
				return;
			}

			answerJson(response, 200, parts.faults);
			return;
		}

		case 'GET requests': {
			const filter = {
				operation: url.searchParams.get('operation') ?? undefined,
				key: url.searchParams.get('key') ?? undefined,
			};
			answerJson(response, 200, {
				count: parts.requests.count(filter),
				counts: parts.requests.counts(),
				requests: parts.requests.list(filter),
			});
			return;
		}

		case 'DELETE requests': {
			parts.requests.clear();
			answerJson(response, 200, {});
			return;
		}

		default: {
			answerJson(response, 404, {
				message: `There is no ${request.method} ${url.pathname}: known are GET and PUT /_dev/faults, GET and DELETE /_dev/requests`,
			});
		}
	}
};

const readText = async (request: IncomingMessage): Promise<string> => {
	const pieces: Buffer[] = [];
	let bytes = 0;
	for await (const piece of request as AsyncIterable<Buffer>) {
		bytes += piece.length;
		if (bytes > bodyBytesMax) {
			throw new RangeError(`Cannot set the faults as the body must be at most ${bodyBytesMax} bytes`);
		}

		pieces.push(piece);
	}

	return Buffer.concat(pieces).toString('utf8');
};

const answerJson = (response: ServerResponse, status: number, value: unknown): void => {
	const json = JSON.stringify(value, (_, item: unknown) => (item instanceof RegExp ? String(item) : item));
	response.writeHead(status, {'content-type': 'application/json', 'content-length': Buffer.byteLength(json)});
	response.end(json);
};
