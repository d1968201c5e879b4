import type {IncomingMessage, ServerResponse} from 'node:http';
import type {FaultPlan} from './fault-plan.ts';
import type {RequestTarget} from './request-target.ts';
import type {Signature} from './signature.ts';
import type {Segment} from './storage/segment.ts';
import type {Storage} from './storage/storage.ts';

/** One request whose signature is verified, on its way to the action that answers it. */
export type Call = {
	readonly operation: string;
	readonly target: RequestTarget;
	readonly signature: Signature;
	readonly storage: Storage;
	readonly request: IncomingMessage;
	readonly response: ServerResponse;
	/** The client waits for `100 Continue` before it sends the body. */
	readonly isContinueExpected: boolean;
	readonly faults: FaultPlan;
	readonly nowMs: number;
	/** Segments that are released when the request is over. */
	readonly held: Segment[];
};

/** Bytes from the storage. */
export type StoredBody = {readonly segments: readonly Segment[]; readonly sizeBytes: number};

export type Answer = {
	readonly status: number;
	readonly headers?: Readonly<Record<string, string | number>>;
	readonly body?: string | StoredBody;
};

/** What the server does for one operation of S3. Throws `S3Error` to refuse. */
export type Action = (call: Call) => Answer | Promise<Answer>;

/** A request header's text. */
export const headerOf = ({request}: Call, name: string): string | undefined => {
	const value = request.headers[name];
	return Array.isArray(value) ? value.join(',') : value;
};

export const xmlAnswer = (xml: string, headers: Readonly<Record<string, string | number>> = {}): Answer => ({
	status: 200,
	headers: {'content-type': 'application/xml', ...headers},
	body: xml,
});
