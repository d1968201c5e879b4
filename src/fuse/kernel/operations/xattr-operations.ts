import {FsError} from '../../../model/fs-error.ts';
import {toUtf8} from '../../fuse-path.ts';
import {parseXattrFlags} from '../../operation-flags.ts';
import {answerRoom, partOf} from '../kernel-device.ts';
import type {KernelSession} from '../kernel-session.ts';
import {getxattrOut} from '../protocol.ts';
import type {KernelRequest, RequestHeader} from '../request.ts';

/** Extended attributes. A file that was deleted while it is open shows none, and takes none. */
export const createXattrOperations = (session: KernelSession) => ({
	...createAskingOperations(session),
	...createChangingOperations(session),
});

/** Runs on the path that a node has; `undefined` for one that was deleted. */
const onPath = async <T>(
	session: KernelSession,
	nodeId: number,
	task: (path: string) => Promise<T>,
): Promise<T | undefined> => {
	const node = session.nodeOf(nodeId);
	return session.gate.use([node], async () => {
		const path = session.table.pathOf(node);
		return path === undefined ? undefined : task(path);
	});
};

const createAskingOperations = (session: KernelSession) => {
	const {fileSystem} = session;
	return {
		listxattr(request: KernelRequest<'listxattr'>): void {
			session.ask(
				request,
				{name: 'listxattr', subject: session.subjectOf(request.nodeId)},
				async () => {
					const names = (await onPath(session, request.nodeId, async path => fileSystem.listxattr(path))) ?? [];
					return assertFits(Buffer.from(names.map(name => `${name}\0`).join(''), 'utf8'), request.body.size);
				},
				names => answerValue(session, request, {value: names, size: request.body.size}),
			);
		},
		getxattr(request: KernelRequest<'getxattr'>): void {
			const {nodeId, body, strings} = request;
			const [name = ''] = strings;
			session.ask(
				request,
				{name: 'getxattr', subject: session.subjectOf(nodeId)},
				async () => {
					// No file of ours has other names than those.
					const value = name.startsWith('user.')
						? await onPath(session, nodeId, async path => fileSystem.getxattr(path, name))
						: undefined;
					if (value === undefined) {
						throw new FsError('ENODATA', `There is no extended attribute ${name}`);
					}

					return assertFits(value, body.size);
				},
				value => answerValue(session, request, {value, size: body.size}),
			);
		},
	};
};

const createChangingOperations = (session: KernelSession) => {
	const {fileSystem} = session;
	const change = (request: RequestHeader, call: string, task: (path: string) => Promise<void>): void => {
		session.run(request, {name: call, subject: session.subjectOf(request.nodeId)}, async () => {
			const isDone = await onPath(session, request.nodeId, async path => task(path).then(() => true));
			if (isDone !== true) {
				throw new FsError('EOPNOTSUPP', 'Cannot change extended attributes of a file that was deleted');
			}
		});
	};

	return {
		setxattr(request: KernelRequest<'setxattr'>): void {
			const {body, strings} = request;
			const [name = ''] = strings;
			const value = Buffer.from(request.data.subarray(0, body.size)); // A copy: the request is read over soon.
			change(request, 'setxattr', async path =>
				fileSystem.setxattr(path, toUtf8(name, 'name of an extended attribute'), value, parseXattrFlags(body.flags)),
			);
		},
		removexattr(request: KernelRequest<'removexattr'>): void {
			const [name = ''] = request.strings;
			change(request, 'removexattr', async path => fileSystem.removexattr(path, name));
		},
	};
};

/** A size of 0 asks for the length alone. */
const assertFits = (value: Uint8Array, size: number): Uint8Array => {
	if (size !== 0 && value.length > size) {
		throw new FsError('ERANGE', `Extended attributes of ${value.length} bytes do not fit into ${size}`);
	}

	return value;
};

const answerValue = (
	{device}: KernelSession,
	{unique}: RequestHeader,
	{value, size}: {value: Uint8Array; size: number},
): void => {
	if (size === 0) {
		device.answerWith(unique, partOf(getxattrOut, {size: value.length}));
	} else {
		device.answerInPlace(unique, Buffer.concat([Buffer.alloc(answerRoom), value]));
	}
};
