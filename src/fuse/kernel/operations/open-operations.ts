import {constants} from 'node:fs';
import type {Handle, OpenResult} from '../../../filesystem/filesystem.ts';
import {FsError, isFsError} from '../../../model/fs-error.ts';
import {permissionsOfMode} from '../../fuse-stat.ts';
import {parseOpenFlags} from '../../open-flags.ts';
import {hasOtherDescriptor} from '../../other-descriptors.ts';
import {toEntryValues} from '../attribute-parts.ts';
import {partOf} from '../kernel-device.ts';
import {callerOf, type KernelSession} from '../kernel-session.ts';
import type {KernelNode} from '../node-table.ts';
import {entryOut, openedFlags, openOut} from '../protocol.ts';
import type {KernelRequest} from '../request.ts';

type Opened = {
	readonly node: KernelNode;
	readonly handle: Handle;
	readonly keepsPages: () => boolean;
	readonly isDirect: boolean;
};

const nothing = (): void => undefined;

/** From the opening of a file to its last close. */
export const createOpenOperations = (session: KernelSession) => {
	const opens = new OpenCounts(session);
	return {...createOpeningOperations(session, opens), ...createClosingOperations(session, opens)};
};

const createOpeningOperations = (session: KernelSession, opens: OpenCounts) => {
	const {gate, device} = session;
	return {
		open(request: KernelRequest<'open'>): void {
			const {unique, nodeId, threadId, body} = request;
			session.run(
				request,
				{name: 'open', subject: session.subjectOf(nodeId)},
				async () => {
					const node = session.nodeOf(nodeId);
					return gate.use([node], async () => open(session, opens, {node, flags: body.flags, threadId}));
				},
				{
					succeed(opened) {
						opens.add(opened.node, opened.handle);
						if (!device.answerWith(unique, toOpenPart(opened, body.flags))) {
							void opens.release(opened.node, opened.handle);
						}
					},
					abandon({node, handle}) {
						opens.add(node, handle);
						void opens.release(node, handle);
					},
				},
			);
		},
		create(request: KernelRequest<'create'>): void {
			create(session, opens, request);
		},
	};
};

const createClosingOperations = (session: KernelSession, opens: OpenCounts) => {
	const {fileSystem, table} = session;
	return {
		flush(request: KernelRequest<'flush'>): void {
			const {threadId, body} = request;
			session.run(
				request,
				{name: 'flush', subject: `#${body.fh}`},
				async () =>
					fileSystem.flush(body.fh, {
						hasOtherDescriptor: async path =>
							hasOtherDescriptor(threadId, {device: await session.mountedDevice(), path}),
					}),
				{discard: nothing}, // The upload goes on, as that of a process that dies after its close.
			);
		},
		fsync(request: KernelRequest<'fsync'>): void {
			const {body} = request;
			session.run(request, {name: 'fsync', subject: `#${body.fh}`}, async () => fileSystem.fsync(body.fh), {
				discard: nothing,
			});
		},
		release(request: KernelRequest<'release'>): void {
			const {nodeId, body} = request;
			session.run(request, {name: 'release', subject: `#${body.fh}`}, async () =>
				opens.release(table.get(nodeId), body.fh),
			);
		},
	};
};

const create = (session: KernelSession, opens: OpenCounts, request: KernelRequest<'create'>): void => {
	const {fileSystem, table, gate, device} = session;
	const {unique, nodeId, body, strings} = request;
	const [name = ''] = strings;
	const flags = {...parseOpenFlags(body.flags), create: true};
	const creation = {permissions: permissionsOfMode(body.mode), caller: callerOf(request)};
	session.run(
		request,
		{name: 'create', subject: session.subjectOf(nodeId, name)},
		async () => {
			const parent = session.nodeOf(nodeId);
			return gate.use([parent], async () => {
				const path = session.newPathIn(parent, name);
				const result = await fileSystem.open(path, flags, creation);
				try {
					return {parent, result, stat: await fileSystem.getattr({handle: result.handle})};
				} catch (error) {
					await fileSystem.release(result.handle);
					throw error;
				}
			});
		},
		{
			succeed({parent, result, stat}) {
				const before = table.child(parent, name);
				if (before !== undefined) {
					table.detach(before); // What had the name before is not what the kernel made now.
				}

				const node = table.lookedUp(parent, name, stat.kind);
				node.sizeBytes = stat.sizeBytes;
				opens.add(node, result.handle);
				const opened = {node, handle: result.handle, keepsPages: result.keepsPages, isDirect: false};
				const entry = partOf(entryOut, toEntryValues(node, stat, session.validity));
				if (!device.answerWith(unique, entry, toOpenPart(opened, body.flags))) {
					void opens.release(node, result.handle);
					table.forget(node.id, 1);
				}
			},
		},
	);
};

/** The opens of the kernel: more than one of a handle only for a file without a name, which cannot be opened anew. */
class OpenCounts {
	readonly #session: KernelSession;
	readonly #counts = new Map<Handle, number>();

	constructor(session: KernelSession) {
		this.#session = session;
	}

	add(node: KernelNode, handle: Handle): void {
		this.#session.table.opened(node, handle);
		this.#counts.set(handle, (this.#counts.get(handle) ?? 0) + 1);
	}

	async release(node: KernelNode | undefined, handle: Handle): Promise<void> {
		const count = (this.#counts.get(handle) ?? 1) - 1;
		if (count > 0) {
			this.#counts.set(handle, count);
			return;
		}

		this.#counts.delete(handle);
		if (node !== undefined) {
			this.#session.table.closed(node, handle);
		}

		await this.#session.fileSystem.release(handle);
	}
}

const toOpenPart = ({node, handle, keepsPages, isDirect}: Opened, flags: number) => {
	if ((flags & constants.O_TRUNC) !== 0) {
		node.sizeBytes = 0; // The kernel cuts its own size too.
	}

	return partOf(openOut, {
		fh: handle,
		openFlags:
			(keepsPages() ? openedFlags.keepCache : 0) |
			// What is longer than a request of the kernel comes in several. With O_DIRECT alone the kernel sends them at the
			// same time, and those of an append, which go to the end whatever their offset, would change places.
			(isDirect || (flags & orderedFlags) === orderedFlags ? openedFlags.directIo : 0),
	});
};

const orderedFlags = constants.O_DIRECT | constants.O_APPEND;

type OpenRequest = {readonly node: KernelNode; readonly flags: number; readonly threadId: number};

/**
Opens a node. ESTALE when the kernel has to look the name up again first, which it does once, on the same thread: the
name stands for another version than others have open, for something that is gone, or the kernel knows another size.
*/
const open = async (session: KernelSession, opens: OpenCounts, request: OpenRequest): Promise<Opened> => {
	const {node, threadId} = request;
	const path = session.table.pathOf(node);
	if (path === undefined) {
		return openWithoutName(node, request.flags);
	}

	const isSecondTry = session.refusedOpens.get(threadId) === path;
	session.refusedOpens.delete(threadId);
	const refuse = (reason: string, cause?: unknown): never => {
		session.refusedOpens.set(threadId, path);
		throw new FsError('ESTALE', `Cannot open ${path} as the kernel knows it: ${reason}`, {cause});
	};
	const flags = parseOpenFlags(request.flags & ~(constants.O_CREAT | constants.O_EXCL));
	let result: OpenResult;
	try {
		result = await session.fileSystem.open(path, {...flags, threadId});
	} catch (error) {
		if (isSecondTry || !isFsError(error, 'ENOENT', 'EISDIR', 'ELOOP')) {
			throw error;
		}

		return refuse('it is gone', error);
	}

	const {handle, keepsPages, sizeBytes} = result;
	const isCurrent = await session.isCurrent(node, path, handle);
	// A program that does not read misses nothing; appends go to the end, wherever the kernel believes it to be.
	const isSizeWrong = flags.read && !flags.truncate && node.sizeBytes !== undefined && node.sizeBytes !== sizeBytes;
	if (!isSecondTry && (!isCurrent || isSizeWrong)) {
		await session.fileSystem.release(handle);
		if (!isCurrent) {
			session.table.detach(node);
		}

		return refuse(isCurrent ? 'it has another size' : 'another version of it is open');
	}

	if (isSizeWrong) {
		session.device.expireAttributes(node.id);
	}

	return {node, handle, keepsPages, isDirect: !isCurrent};
};

/** By way of /proc/PID/fd: a file without a name is read through an open that it has. */
const openWithoutName = (node: KernelNode, flags: number): Opened => {
	const [handle] = node.handles;
	if (handle === undefined || parseOpenFlags(flags).write) {
		throw new FsError('ESTALE', `Cannot open inode ${node.id}: it was deleted or replaced`);
	}

	return {node, handle, keepsPages: () => true, isDirect: false};
};
