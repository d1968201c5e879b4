import {inHeader, type RequestName, requestForms} from './protocol.ts';
import type {Struct} from './struct.ts';

type Forms = typeof requestForms;
type BodyOf<N extends RequestName> = Forms[N] extends {readonly body: Struct<infer F>}
	? Readonly<Record<keyof F, number>>
	: Readonly<Record<string, number>>;

/** What every request says: which one it is, of which node, and who asks. */
export type RequestHeader = {
	/** The number by which it is answered. */
	readonly unique: number;
	readonly nodeId: number;
	readonly uid: number;
	readonly gid: number;
	/** The thread that asks; 0 when it is in a PID namespace that we do not see. */
	readonly threadId: number;
};

/** A request of one kind. `data` is a part of the buffer that the request was read into. */
export type KernelRequest<N extends RequestName = RequestName> = RequestHeader & {
	readonly name: N;
	readonly body: BodyOf<N>;
	/** Decoded from UTF-8, with U+FFFD for what is not. */
	readonly strings: readonly string[];
	readonly data: Uint8Array;
};

/** A request of a kind that we do not know: it can be answered, with ENOSYS. */
export type UnknownRequest = RequestHeader & {readonly name: undefined; readonly opcode: number};

/** What came from the device is not a request of the protocol. */
export class ProtocolError extends Error {
	override readonly name = 'ProtocolError';
}

const names = new Map<number, RequestName>(
	Object.entries(requestForms).map(([name, {opcode}]) => [opcode, name as RequestName]),
);
const noBody: Readonly<Record<string, number>> = {};
const noStrings: readonly string[] = [];

/**
The request that stands in `bytes`, which are one read of the device. `ProtocolError` when it is cut off or says other
lengths than it has; nothing outside of `bytes` is ever looked at.
*/
export const parseRequest = (bytes: Uint8Array): KernelRequest | UnknownRequest => {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	if (bytes.length < inHeader.bytes) {
		throw new ProtocolError(`A request of ${bytes.length} bytes is shorter than its header`);
	}

	const {len, opcode, unique, nodeid, uid, gid, pid, extensionLength} = inHeader.read(view, 0);
	const end = len - extensionLength * 8;
	if (len !== bytes.length || end < inHeader.bytes) {
		throw new ProtocolError(
			`Request ${opcode} says that it has ${len} bytes, ${extensionLength * 8} of them extensions, and has ${bytes.length}`,
		);
	}

	const header: RequestHeader = {unique, nodeId: nodeid, uid, gid, threadId: pid};
	const name = names.get(opcode);
	if (name === undefined) {
		return {...header, name, opcode};
	}

	return {...header, name, ...parseBody(name, {view, bytes, end})};
};

const parseBody = (
	name: RequestName,
	{view, bytes, end}: {view: DataView; bytes: Uint8Array; end: number},
): {body: Readonly<Record<string, number>>; strings: readonly string[]; data: Uint8Array} => {
	const form: {opcode: number; body?: Struct; stringCount?: number; hasData?: boolean} = requestForms[name];
	let offset = inHeader.bytes;
	let body = noBody;
	if (form.body !== undefined) {
		if (offset + form.body.bytes > end) {
			throw new ProtocolError(`A ${name} request of ${end} bytes is shorter than its structure`);
		}

		body = form.body.read(view, offset);
		offset += form.body.bytes;
	}

	let strings = noStrings;
	for (let count = form.stringCount ?? 0; count > 0; count--) {
		const zero = bytes.indexOf(0, offset);
		if (zero === -1 || zero >= end) {
			throw new ProtocolError(`A ${name} request of ${end} bytes has a name without an end`);
		}

		strings = [...strings, toText(bytes, offset, zero)];
		offset = zero + 1;
	}

	return {body, strings, data: form.hasData === true ? bytes.subarray(offset, end) : bytes.subarray(end, end)};
};

const toText = (bytes: Uint8Array, start: number, end: number): string =>
	Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
