import {close, openSync, write, writeSync} from 'node:fs';
import {Socket} from 'node:net';
import {promisify} from 'node:util';
import {hasErrorCode, messageOf} from '../../model/error-text.ts';
import {inHeader, notifyInvalEntryOut, notifyInvalInodeOut, notifyCodes, outHeader, requestForms} from './protocol.ts';
import type {Fields, Struct} from './struct.ts';

const devicePath = '/dev/fuse';

/** The largest write of the kernel, and the largest read that it is answered with. */
export const requestBytesMax = 2 ** 20;

/** What a request may need beside the bytes of a write. The kernel refuses to read into less than 8 KiB in all. */
const bufferBytes = requestBytesMax + inHeader.bytes + requestForms.write.body.bytes;

/** Buffers with bytes of writes that are not staged yet. While so many are, no further request is read. */
const keptBufferCountMax = 64;

const closeDescriptor = promisify(close);
const writeToDescriptor = promisify(write);

export type DeviceEvents = {
	/** One read of the device. The bytes are good until it returns, or for as long as `keep` said. */
	readonly onRequest: (bytes: Uint8Array, keep: () => () => void) => void;
	/** The kernel has let go of the file system, or the device cannot be read any more. Once. */
	readonly onEnd: (error: Error | undefined) => void;
};

/** What the wrap of a pipe is here: a descriptor that libuv polls and reads when there is something to read. */
type PipeWrap = {open(descriptor: number): number};

/**
The device /dev/fuse: one read is one request, one write is one answer or one notification. A descriptor of it is a
mount, from mount(8), which gets it as descriptor 3, until the last process closes it.

It is read by the event loop: libuv takes any descriptor for a pipe that can be polled, reads it without blocking, and
calls back within the same turn. Node.js documents the stream, but not the way to give it a descriptor that is no socket
(`process.binding('pipe_wrap')`). Node.js is pinned and shipped with this driver, and test/fuse/kernel/kernel-device.ts
holds what this relies on. Answers are written at once: that copies, and never blocks.
*/
export class KernelDevice {
	readonly descriptor: number;
	readonly #out = Buffer.alloc(4096);
	readonly #outView = new DataView(this.#out.buffer, this.#out.byteOffset, this.#out.byteLength);
	readonly #idle: Uint8Array[] = [];
	#socket: Socket | undefined;
	#keptCount = 0;
	#hasEnded = false;
	#notifications = Promise.resolve();

	constructor(descriptor: number) {
		this.descriptor = descriptor;
	}

	/** A new device, which mount(8) makes a mount of. */
	static open(): KernelDevice {
		try {
			return new KernelDevice(openSync(devicePath, 'r+'));
		} catch (error) {
			const remedy = hasErrorCode(error, 'ENOENT', 'ENODEV', 'ENXIO')
				? 'load the kernel module: modprobe fuse'
				: 'run as root, and in a container with this device';
			throw new Error(`Cannot open ${devicePath}: ${messageOf(error)}; ${remedy}`, {cause: error});
		}
	}

	/** Reads requests from now on. */
	start({onRequest, onEnd}: DeviceEvents): void {
		const end = (error?: Error): void => {
			if (!this.#hasEnded) {
				this.#hasEnded = true;
				onEnd(error);
			}
		};
		let buffer: Uint8Array = new Uint8Array(bufferBytes);
		let isKept = false;
		const keep = (): (() => void) => {
			const kept = buffer;
			isKept = true;
			this.#keptCount++;
			return () => this.#giveBack(kept);
		};
		const nextBuffer = (): Uint8Array => {
			if (isKept) {
				isKept = false;
				buffer = this.#idle.pop() ?? new Uint8Array(bufferBytes);
			}

			return buffer;
		};
		this.#socket = new Socket({
			handle: openPipe(this.descriptor),
			readable: true,
			writable: false,
			onread: {
				buffer: nextBuffer,
				callback: (count: number) => {
					onRequest(buffer.subarray(0, count), keep);
					return this.#keptCount < keptBufferCountMax;
				},
			},
		} as ConstructorParameters<typeof Socket>[0]);
		this.#socket.on('error', end).on('close', () => end());
		this.#socket.resume();
	}

	/** Answers a request with an errno, or 0. False when nobody waits for the answer any more. */
	answer(unique: number, errno: number): boolean {
		outHeader.write(this.#outView, 0, {len: outHeader.bytes, error: -errno, unique});
		return this.#send(this.#out.subarray(0, outHeader.bytes));
	}

	/** Answers a request with structures, one behind the other. */
	answerWith(unique: number, ...parts: readonly Part[]): boolean {
		let offset = outHeader.bytes;
		for (const part of parts) {
			part.write(this.#outView, offset);
			offset += part.bytes;
		}

		outHeader.write(this.#outView, 0, {len: offset, error: 0, unique});
		return this.#send(this.#out.subarray(0, offset));
	}

	/** Answers a request with bytes, before which `answerRoom` bytes are free for the header. */
	answerInPlace(unique: number, answer: Buffer): boolean {
		const view = new DataView(answer.buffer, answer.byteOffset, answerRoom);
		outHeader.write(view, 0, {len: answer.length, error: 0, unique});
		return this.#send(answer);
	}

	/** The kernel asks for the attributes of an inode when it needs them next. Its pages stay. Never blocks. */
	expireAttributes(nodeId: number): void {
		const part = partOf(notifyInvalInodeOut, {ino: nodeId, off: -1, len: 0});
		this.#send(toNotification(notifyCodes.invalInode, part));
	}

	/** The kernel looks a name up when it needs it next. */
	dropName(parentId: number, name: string): void {
		const bytes = Buffer.from(`${name}\0`, 'utf8');
		const part = partOf(notifyInvalEntryOut, {parent: parentId, namelen: bytes.length - 1, flags: 0});
		this.#sendLater(toNotification(notifyCodes.invalEntry, part, bytes));
	}

	/** Closes the descriptor: unless another process holds it too, the mount is dead from then on. */
	async close(): Promise<void> {
		const socket = this.#socket;
		if (socket === undefined) {
			await closeDescriptor(this.descriptor);
		} else if (!socket.closed) {
			const {promise, resolve} = Promise.withResolvers<void>();
			socket.once('close', () => resolve());
			socket.destroy();
			await promise;
		}
	}

	/**
	One after the other and not on this thread: the kernel takes the lock of the directory, or waits for a page, that
	somebody may hold who waits for us.
	*/
	#sendLater(message: Buffer): void {
		this.#notifications = this.#notifications.then(async () => {
			if (!this.#hasEnded) {
				// ENOENT: the kernel does not know it, so there is nothing to drop.
				await writeToDescriptor(this.descriptor, message).catch(() => undefined);
			}
		});
	}

	#send(message: Buffer): boolean {
		if (this.#hasEnded) {
			return false;
		}

		try {
			writeSync(this.descriptor, message);
			return true;
		} catch (error) {
			// ENOENT: nobody waits for it any more. ENODEV, ECONNABORTED: nobody waits for anything; reading tells.
			if (hasErrorCode(error, 'ENOENT', 'ENODEV', 'ECONNABORTED', 'ENOTCONN', 'EBADF')) {
				return false;
			}

			throw error;
		}
	}

	#giveBack(buffer: Uint8Array): void {
		if (this.#idle.length < idleBufferCountMax) {
			this.#idle.push(buffer);
		}

		if (this.#keptCount-- === keptBufferCountMax) {
			this.#socket?.resume();
		}
	}
}

/** A structure of an answer, with its values. */
export type Part = {readonly bytes: number; readonly write: (view: DataView, offset: number) => void};

export const partOf = <F extends Fields>(struct: Struct<F>, values: Partial<Record<keyof F, number>>): Part => ({
	bytes: struct.bytes,
	write(view, offset) {
		struct.write(view, offset, values);
	},
});

const toNotification = (code: number, part: Part, rest: Uint8Array = new Uint8Array()): Buffer => {
	const message = Buffer.alloc(outHeader.bytes + part.bytes + rest.length);
	const view = new DataView(message.buffer, message.byteOffset, message.length);
	outHeader.write(view, 0, {len: message.length, error: code, unique: 0});
	part.write(view, outHeader.bytes);
	message.set(rest, outHeader.bytes + part.bytes);
	return message;
};

/** Bytes before an answer that `answerInPlace` fills in. */
export const answerRoom = outHeader.bytes;

const idleBufferCountMax = 4;

/** Undocumented: see the class. */
const openPipe = (descriptor: number): unknown => {
	const {binding} = process as unknown as {
		binding(name: 'pipe_wrap'): {
			readonly Pipe: new (type: number) => PipeWrap;
			readonly constants: {readonly SOCKET: number};
		};
	};
	const {Pipe, constants} = binding.call(process, 'pipe_wrap');
	const pipe = new Pipe(constants.SOCKET);
	const status = pipe.open(descriptor);
	if (status !== 0) {
		throw new Error(`Cannot poll ${devicePath}: libuv says ${status}`);
	}

	return pipe;
};
