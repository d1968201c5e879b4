import {request as requestHttp} from 'node:http';
import {request as requestHttps} from 'node:https';
import {messageOf} from '../model/error-text.ts';
import type {VolumeOptions} from '../model/volume-options.ts';
import type {Check} from './check.ts';
import {createSdkClient} from '../store/s3-sdk-client.ts';

const answerMs = 8000;
const skewMsWarning = 5000;
/** S3 refuses signatures that are further off. */
const skewMsMax = 900_000;

/** Whether the server answers at all, without credentials, and what time it has. */
export const checkEndpoint = async (
	options: VolumeOptions,
): Promise<{readonly endpoint: Check; readonly clock: Check}> => {
	const origin = toOrigin(options);
	const startedAtMs = Date.now();
	try {
		const {status, date} = await askHead(origin);
		const endedAtMs = Date.now();
		// The header has whole seconds: on the average half a second has gone by since.
		const skewMs = date === undefined ? undefined : Date.parse(date) + 500 - (startedAtMs + endedAtMs) / 2;
		return {endpoint: judgeEndpoint({origin, status, durationMs: endedAtMs - startedAtMs}), clock: judgeClock(skewMs)};
	} catch (error) {
		return {
			endpoint: {
				name: 'endpoint',
				status: 'failed',
				found: `${origin} does not answer: ${toReason(error)}`,
				remedy:
					'check --endpoint and --region, DNS, routes, firewalls and certificates (NODE_EXTRA_CA_CERTS names more authorities)',
			},
			clock: {name: 'clock', status: 'skipped', found: 'no server to compare with'},
		};
	}
};

/** Where requests for the bucket go: by the SDK's rules. */
const toOrigin = ({name, region, endpoint, pathStyle}: VolumeOptions): string => {
	const client = createSdkClient({region, endpoint, pathStyle});
	try {
		return client.config.endpointProvider({
			Bucket: name,
			Region: region,
			ForcePathStyle: pathStyle,
			...(endpoint === '' ? {} : {Endpoint: endpoint}),
		}).url.origin;
	} finally {
		client.destroy();
	}
};

export const judgeEndpoint = ({
	origin,
	status,
	durationMs,
}: {
	origin: string;
	status: number;
	durationMs: number;
}): Check => {
	const found = `${origin} answers within ${durationMs} ms (status ${status})`;
	return status >= 500
		? {
				name: 'endpoint',
				status: 'warning',
				found,
				remedy: 'the server itself has a problem: ask its operator, or look into its log',
			}
		: {name: 'endpoint', status: 'ok', found};
};

/** `skewMs`: how much later the server has it; `undefined` when it does not say. */
export const judgeClock = (skewMs: number | undefined): Check => {
	if (skewMs === undefined || Number.isNaN(skewMs)) {
		return {name: 'clock', status: 'skipped', found: 'the server does not tell its time'};
	}

	const offMs = Math.abs(skewMs);
	const remedy = 'synchronise the clock: timedatectl set-ntp true, or start chronyd';
	if (offMs <= skewMsWarning) {
		return {name: 'clock', status: 'ok', found: `within ${skewMsWarning / 1000} s of the server's`};
	}

	const found = `${Math.round(offMs / 1000)} s ${skewMs > 0 ? 'behind' : 'ahead of'} the server's`;
	return offMs > skewMsMax
		? {
				name: 'clock',
				status: 'failed',
				found: `${found}: S3 refuses requests beyond ${skewMsMax / 60_000} minutes`,
				remedy,
			}
		: {name: 'clock', status: 'warning', found, remedy};
};

/** Not with `fetch`, which refuses some ports. */
const askHead = async (origin: string): Promise<{status: number; date: string | undefined}> => {
	const {promise, resolve, reject} = Promise.withResolvers<{status: number; date: string | undefined}>();
	const request = (origin.startsWith('https:') ? requestHttps : requestHttp)(`${origin}/`, {
		method: 'HEAD',
		agent: false,
		signal: AbortSignal.timeout(answerMs),
	});
	request.on('error', reject);
	request.on('response', response => {
		response.resume();
		resolve({status: response.statusCode ?? 0, date: response.headers.date});
	});
	request.end();
	return promise;
};

/** A name with several addresses fails with an error for each. */
const toReason = (error: unknown): string => {
	if (error instanceof Error && error.name === 'AbortError') {
		return `nothing within ${answerMs / 1000} s`;
	}

	const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
	return messageOf(first);
};
