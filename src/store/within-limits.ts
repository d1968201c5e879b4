import {HttpFailure} from './s3-http.ts';

/** Credentials may come from a server that does not answer, and whose client knows no signal. */
export const withinLimits = async <Value>(
	value: Promise<Value>,
	{limitMs, signal}: {limitMs: number; signal: AbortSignal | undefined},
): Promise<Value> => {
	const {promise: ended, reject} = Promise.withResolvers<never>();
	const timer = setTimeout(() => {
		reject(
			new HttpFailure(`the credentials did not come within ${Math.round(limitMs)} ms`, {
				kind: 'timeout',
				wasSent: false,
			}),
		);
	}, limitMs);
	const onAbort = () => {
		reject(new Error('aborted', {cause: signal?.reason}));
	};

	signal?.addEventListener('abort', onAbort);
	try {
		return await Promise.race([value, ended]);
	} finally {
		clearTimeout(timer);
		signal?.removeEventListener('abort', onAbort);
	}
};
