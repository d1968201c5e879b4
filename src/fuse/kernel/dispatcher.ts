import {constants} from 'node:os';
import type {FuseLog} from '../fuse-log.ts';
import {toInitOut, type Agreement, negotiate} from './negotiate.ts';
import {partOf} from './kernel-device.ts';
import type {KernelSession} from './kernel-session.ts';
import {createAttributeOperations} from './operations/attribute-operations.ts';
import {createContentOperations} from './operations/content-operations.ts';
import {createDirectoryOperations} from './operations/directory-operations.ts';
import {createNameOperations} from './operations/name-operations.ts';
import {createOpenOperations} from './operations/open-operations.ts';
import {createXattrOperations} from './operations/xattr-operations.ts';
import {forgetOne, initOut, type RequestName} from './protocol.ts';
import {type KernelRequest, parseRequest, ProtocolError} from './request.ts';

type Handlers = {
	readonly [N in RequestName]?: (request: KernelRequest<N>, keep: () => () => void) => void;
};

export type Dispatcher = {
	/** Handles one read of the device. */
	dispatch(bytes: Uint8Array, keep: () => () => void): void;
	/** What the kernel and we agreed on, when it has asked; rejects for a kernel that is too old. */
	readonly agreed: Promise<Agreement>;
};

/**
Brings each request of the kernel to its operation. Those that there is no operation for get ENOSYS, after which the
kernel does them by itself, or without them: LSEEK (S3 has no holes), ACCESS (`default_permissions`), locks, IOCTL,
POLL, BMAP, TMPFILE, SYNCFS.
*/
export const createDispatcher = (session: KernelSession, log: FuseLog): Dispatcher => {
	const agreed = Promise.withResolvers<Agreement>();
	const handlers: Handlers = {
		...createAttributeOperations(session),
		...createOpenOperations(session),
		...createContentOperations(session),
		...createNameOperations(session),
		...createDirectoryOperations(session),
		...(session.hasExtendedAttributes ? createXattrOperations(session) : {}),
		...createConnectionOperations(session, agreed),
	};
	return {
		agreed: agreed.promise,
		dispatch(bytes, keep) {
			let unique: number | undefined;
			try {
				const request = parseRequest(bytes);
				({unique} = request);
				const handler =
					request.name === undefined
						? undefined
						: (handlers[request.name] as ((request: KernelRequest, keep: () => () => void) => void) | undefined);
				if (handler === undefined || request.name === undefined) {
					session.device.answer(unique, constants.errno.ENOSYS);
				} else {
					handler(request, keep);
				}
			} catch (error) {
				log.error(
					{err: error},
					error instanceof ProtocolError ? 'request of the kernel is malformed' : 'operation met a bug',
				);
				if (unique !== undefined) {
					session.device.answer(unique, constants.errno.EIO);
				}
			}
		},
	};
};

/** What is about the connection, or inodes that the kernel has forgotten. Only the first and the last are answered. */
const createConnectionOperations = (session: KernelSession, agreed: PromiseWithResolvers<Agreement>) => {
	const {table, device} = session;
	return {
		init({unique, body}: KernelRequest<'init'>): void {
			try {
				const agreement = negotiate(body);
				device.answerWith(unique, partOf(initOut, toInitOut(agreement)));
				agreed.resolve(agreement);
			} catch (error) {
				device.answer(unique, constants.errno.EPROTO);
				agreed.reject(error);
			}
		},
		forget({nodeId, body}: KernelRequest<'forget'>): void {
			table.forget(nodeId, body.nlookup);
		},
		batchForget({body, data}: KernelRequest<'batchForget'>): void {
			const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
			const count = Math.min(body.count, Math.floor(data.length / forgetOne.bytes));
			for (let index = 0; index < count; index++) {
				const {nodeid, nlookup} = forgetOne.read(view, index * forgetOne.bytes);
				table.forget(nodeid, nlookup);
			}
		},
		interrupt({body}: KernelRequest<'interrupt'>): void {
			void session.interrupt(body.unique);
		},
		destroy({unique}: KernelRequest<'destroy'>): void {
			device.answer(unique, 0);
		},
	};
};
