import type {Answer} from './call.ts';
import type {ErrorFault} from './fault-settings.ts';
import {S3Error} from './s3-error.ts';
import {writeErrorXml} from './xml-writer.ts';

type Place = {readonly resource: string; readonly requestId: string};

/** The answer to a refused request. What is not an `S3Error` is a failure of this server. */
export const errorAnswer = (error: unknown, place: Place): Answer => {
	if (!(error instanceof S3Error)) {
		return documentAnswer(
			{status: 500, code: 'InternalError', message: 'We encountered an internal error. Please try again.'},
			place,
		);
	}

	if (error.status === 304) {
		return {status: 304, headers: error.headers};
	}

	return documentAnswer(error, place, error.fields);
};

/** The answer that a fault asks for. */
export const faultAnswer = ({status, code, message, headers}: ErrorFault, place: Place): Answer =>
	documentAnswer(
		{
			status,
			code,
			message: message ?? 'This error was asked for by a test',
			...(headers === undefined ? {} : {headers}),
		},
		place,
	);

type ErrorDocument = {
	readonly status: number;
	readonly code: string;
	readonly message: string;
	readonly headers?: Readonly<Record<string, string>>;
};

const documentAnswer = (
	{status, code, message, headers}: ErrorDocument,
	{resource, requestId}: Place,
	fields: Readonly<Record<string, string>> = {},
): Answer => ({
	status,
	headers: {'content-type': 'application/xml', ...headers},
	body: writeErrorXml({
		Code: code,
		Message: message,
		...fields,
		Resource: resource,
		RequestId: requestId,
		HostId: requestId,
	}),
});
