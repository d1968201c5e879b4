import {parseFallocateMode} from '../../operation-flags.ts';
import {answerRoom, partOf, requestBytesMax} from '../kernel-device.ts';
import type {KernelSession} from '../kernel-session.ts';
import {writeFromPages, writeOut} from '../protocol.ts';
import type {KernelRequest} from '../request.ts';

/** Writes up to this size are copied, so that no buffer of a whole request waits for them. */
const copiedBytesMax = 64 * 2 ** 10;

/** The bytes of files. */
export const createContentOperations = (session: KernelSession) => ({
	...createByteOperations(session),
	...createRangeOperations(session),
});

/** The kernel wrote up to here itself. */
const noteEnd = ({table}: KernelSession, nodeId: number, endBytes: number): void => {
	const node = table.get(nodeId);
	if (node?.sizeBytes !== undefined && node.sizeBytes < endBytes) {
		node.sizeBytes = endBytes;
	}
};

const createByteOperations = (session: KernelSession) => {
	const {fileSystem, metrics, device, readBuffers} = session;
	return {
		read(request: KernelRequest<'read'>): void {
			const {unique, body} = request;
			const buffer = readBuffers.take(answerRoom + Math.min(body.size, requestBytesMax));
			const giveBack = (): void => readBuffers.giveBackAfterAnswer(buffer);
			session.run(
				request,
				{name: 'read', subject: `#${body.fh}`},
				// Pages belong to the inode, and each version that is open has its own: none has to be kept out of them.
				async () => fileSystem.read(body.fh, buffer.subarray(answerRoom), body.offset),
				{
					succeed(count) {
						metrics.readBytes.value += count;
						device.answerInPlace(unique, buffer.subarray(0, answerRoom + count));
						giveBack();
					},
					abandon: giveBack,
				},
			);
		},
		write(request: KernelRequest<'write'>, keep: () => () => void): void {
			const {unique, nodeId, body, data} = request;
			const isCopied = data.length <= copiedBytesMax;
			const bytes = isCopied ? Buffer.from(data) : data;
			const giveBack = isCopied ? undefined : keep();
			const writepage = (body.ioFlags & writeFromPages) !== 0;
			session.run(
				request,
				{name: 'write', subject: `#${body.fh}`},
				async () => {
					try {
						return await fileSystem.write(body.fh, bytes, body.offset, {writepage});
					} finally {
						giveBack?.();
					}
				},
				{
					succeed(count) {
						metrics.writtenBytes.value += count;
						noteEnd(session, nodeId, body.offset + count);
						device.answerWith(unique, partOf(writeOut, {size: count}));
					},
				},
			);
		},
	};
};

/** Ranges that change without their bytes passing through. */
const createRangeOperations = (session: KernelSession) => {
	const {fileSystem, device} = session;
	return {
		fallocate(request: KernelRequest<'fallocate'>): void {
			const {unique, nodeId, body} = request;
			const range = {offset: body.offset, length: body.length, ...parseFallocateMode(body.mode)};
			session.run(
				request,
				{name: 'fallocate', subject: `#${body.fh}`},
				async () => fileSystem.fallocate(body.fh, range),
				{
					succeed() {
						if (!range.keepSize) {
							noteEnd(session, nodeId, body.offset + body.length);
						}

						device.answer(unique, 0);
					},
				},
			);
		},
		copyFileRange(request: KernelRequest<'copyFileRange'>): void {
			const {unique, body} = request;
			session.run(
				request,
				{name: 'copy_file_range', subject: `#${body.fhIn}`},
				async () =>
					fileSystem.copyFileRange(
						{handle: body.fhIn, offset: body.offsetIn},
						{handle: body.fhOut, offset: body.offsetOut},
						body.length,
					),
				{
					succeed(count) {
						noteEnd(session, body.nodeidOut, body.offsetOut + count);
						device.answerWith(unique, partOf(writeOut, {size: count}));
					},
				},
			);
		},
	};
};
