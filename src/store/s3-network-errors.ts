import {StoreError} from '../model/store-error.ts';
import {toOneLine} from './one-line.ts';
import type {S3Context} from './s3-errors.ts';
import {HttpFailure} from './s3-http.ts';

/** The one place where an answer that never came becomes an error of ours. */
export const toNetworkError = ({action, place}: S3Context, error: unknown): StoreError => {
	const isTimeout = error instanceof HttpFailure && error.kind === 'timeout';
	const code = findCode(error);
	const why = whyByCode[code] ?? (error instanceof Error ? toOneLine(error.message) : 'the connection failed');
	return new StoreError(
		isTimeout || code === 'ETIMEDOUT' ? 'timeout' : 'unavailable',
		`Cannot ${action} at ${place}: ${why}`,
		{cause: error},
	);
};

const whyByCode: Readonly<Record<string, string>> = {
	EAI_AGAIN: 'the name of the endpoint cannot be looked up now (EAI_AGAIN); check DNS and the network',
	ECONNREFUSED: 'the connection was refused (ECONNREFUSED); check the option "endpoint", and that the server runs',
	ECONNRESET: 'the connection was cut (ECONNRESET)',
	EHOSTUNREACH: 'the endpoint cannot be reached (EHOSTUNREACH); check the network',
	ENETUNREACH: 'the endpoint cannot be reached (ENETUNREACH); check the network',
	ENOTFOUND: 'the name of the endpoint does not exist (ENOTFOUND); check the options "endpoint" and "region"',
	CERT_HAS_EXPIRED: 'the certificate of the endpoint has expired',
	DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate of the endpoint is self-signed; add it to NODE_EXTRA_CA_CERTS',
	SELF_SIGNED_CERT_IN_CHAIN: 'the certificate of the endpoint is self-signed; add its authority to NODE_EXTRA_CA_CERTS',
	UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		'the certificate of the endpoint cannot be verified; add its authority to NODE_EXTRA_CA_CERTS',
};

/**
Whether another attempt must fail the same way: a certificate does not become valid by waiting, and what
`guardedLookup` refused stays refused.
*/
export const isFinalNetworkError = (error: unknown): boolean =>
	/CERT|LEAF_SIGNATURE|ERR_TLS|EPNXLOCAL/.test(findCode(error));

const findCode = (error: unknown): string => {
	const cause = error instanceof HttpFailure ? (error.cause ?? error) : error;
	return cause instanceof Error && 'code' in cause ? String(cause.code) : '';
};
