import {inHeader, requestForms, type RequestName} from '../../../../src/fuse/kernel/protocol.ts';
import type {Struct} from '../../../../src/fuse/kernel/struct.ts';

/** A request as the kernel would write it. */
export const fakeRequest = (
	name: RequestName,
	{
		header = {},
		body = {},
		strings = [],
		data = new Uint8Array(),
	}: {
		header?: Partial<Record<'len' | 'unique' | 'nodeid' | 'uid' | 'gid' | 'pid' | 'extensionLength', number>>;
		body?: Readonly<Record<string, number>>;
		strings?: readonly string[];
		data?: Uint8Array;
	} = {},
): Uint8Array => {
	const form: {opcode: number; body?: Struct} = requestForms[name];
	const bodyBytes = Buffer.alloc(form.body?.bytes ?? 0);
	form.body?.write(new DataView(bodyBytes.buffer, bodyBytes.byteOffset, bodyBytes.length), 0, body);
	const rest = Buffer.concat([bodyBytes, ...strings.map(text => Buffer.from(`${text}\0`)), data]);
	const bytes = Buffer.concat([Buffer.alloc(inHeader.bytes), rest]);
	inHeader.write(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, {
		len: bytes.length,
		opcode: form.opcode,
		unique: 2,
		nodeid: 1,
		...header,
	});
	return bytes;
};
