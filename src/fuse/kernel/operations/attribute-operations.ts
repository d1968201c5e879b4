import type {EntryStat, TimeChange} from '../../../filesystem/filesystem.ts';
import {FsError, isFsError} from '../../../model/fs-error.ts';
import {lookupPurposeOf} from '../../lookup-purpose.ts';
import {permissionsOfMode} from '../../fuse-stat.ts';
import {toAttrPart, toStatfsPart} from '../attribute-parts.ts';
import type {KernelSession} from '../kernel-session.ts';
import type {KernelNode} from '../node-table.ts';
import {getattrHasHandle, setattrValid} from '../protocol.ts';
import type {KernelRequest} from '../request.ts';

/** Each version that is open is an inode of its own, with its own attributes. */
const ofOwnVersion = {isOwnVersion: true};

/** What names are, and the attributes of what they stand for. */
export const createAttributeOperations = (session: KernelSession) => ({
	...createAskingOperations(session),
	...createChangingOperations(session),
});

const createAskingOperations = (session: KernelSession) => {
	const {fileSystem, table, gate} = session;
	return {
		lookup(request: KernelRequest<'lookup'>): void {
			const {nodeId, threadId, strings} = request;
			const [name = ''] = strings;
			session.ask(
				request,
				{name: 'lookup', subject: session.subjectOf(nodeId, name)},
				async () => {
					const parent = session.nodeOf(nodeId);
					const known = table.child(parent, name);
					return gate.use(known === undefined ? [parent] : [parent, known], async () => {
						const path = session.pathIn(parent, name);
						const stat = await fileSystem.getattr({path}, {purpose: async () => lookupPurposeOf(threadId, `/${path}`)});
						await detachReplaced(session, {parent, name, path});
						return {parent, stat};
					});
				},
				({parent, stat}) => session.answerEntry(request, {parent, name}, stat),
			);
		},
		getattr(request: KernelRequest<'getattr'>): void {
			const {unique, nodeId, body} = request;
			const hasHandle = (body.flags & getattrHasHandle) !== 0;
			session.ask(
				request,
				hasHandle ? {name: 'fgetattr', subject: `#${body.fh}`} : {name: 'getattr', subject: session.subjectOf(nodeId)},
				async () => {
					const node = session.nodeOf(nodeId);
					const stat = hasHandle
						? await fileSystem.getattr({handle: body.fh}, ofOwnVersion)
						: await gate.use([node], async () => statOf(session, node));
					return {node, stat};
				},
				({node, stat}) => answerAttributes(session, {unique, node, stat}),
			);
		},
		statfs(request: KernelRequest<'statfs'>): void {
			session.ask(
				request,
				{name: 'statfs', subject: '/'},
				async () => fileSystem.statfs(),
				stat => session.device.answerWith(request.unique, toStatfsPart(stat)),
			);
		},
	};
};

const createChangingOperations = (session: KernelSession) => {
	const {fileSystem, gate} = session;
	return {
		setattr(request: KernelRequest<'setattr'>): void {
			const {unique, nodeId, body} = request;
			session.run(
				request,
				{name: nameOfChange(body.valid), subject: session.subjectOf(nodeId)},
				async () => {
					const node = session.nodeOf(nodeId);
					return gate.use([node], async () => {
						await setAttributes(session, node, body);
						return {node, stat: await fileSystem.getattr(targetOfChange(session, node, body), ofOwnVersion)};
					});
				},
				{succeed: ({node, stat}) => answerAttributes(session, {unique, node, stat})},
			);
		},
	};
};

/**
A name was looked up: when opens of its node have another version than what it stands for now, or another file, it gets
a node of its own, and they keep theirs with its pages.
*/
export const detachReplaced = async (
	session: KernelSession,
	{parent, name, path}: {parent: KernelNode; name: string; path: string},
): Promise<void> => {
	const node = session.table.child(parent, name);
	if (node !== undefined && node.handles.size > 0 && !(await session.isCurrent(node, path))) {
		session.table.detach(node);
	}
};

/** The attributes of a node, not asked for through an open file: fstat(2) is such a request too. */
const statOf = async (session: KernelSession, node: KernelNode): Promise<EntryStat> => {
	const {fileSystem, table, device} = session;
	const path = table.pathOf(node);
	const [handle] = node.handles;
	if (path === undefined || (handle !== undefined && !(await session.isCurrent(node, path)))) {
		const {parent, name} = node;
		if (parent !== undefined && path !== undefined) {
			// The name stands for something else by now: who asks by the name is to find that.
			table.detach(node);
			device.dropName(parent.id, name);
		}

		return fileSystem.getattr(session.targetOf(node), ofOwnVersion);
	}

	let stat: EntryStat;
	try {
		stat = await fileSystem.getattr({path});
	} catch (error) {
		if (handle !== undefined && isFsError(error, 'ENOENT')) {
			return fileSystem.getattr({handle}, ofOwnVersion); // Deleted elsewhere, and open here.
		}

		throw error;
	}

	if (stat.kind !== node.kind) {
		table.detach(node);
		throw new FsError('ESTALE', `${path} was a ${node.kind}, and is a ${stat.kind} now`);
	}

	return stat;
};

const answerAttributes = (
	{device, validity}: KernelSession,
	{unique, node, stat}: {unique: number; node: KernelNode; stat: EntryStat},
): void => {
	node.sizeBytes = stat.sizeBytes;
	device.answerWith(unique, toAttrPart(node, stat, validity));
};

type Change = KernelRequest<'setattr'>['body'];

const has = (valid: number, bits: number): boolean => (valid & bits) !== 0;

/** The program's call, for log and metrics. */
const nameOfChange = (valid: number): string => {
	if (has(valid, setattrValid.size)) {
		return has(valid, setattrValid.fh) ? 'ftruncate' : 'truncate';
	}

	if (has(valid, setattrValid.mode)) {
		return 'chmod';
	}

	return has(valid, setattrValid.uid | setattrValid.gid) ? 'chown' : 'utimens';
};

const targetOfChange = (session: KernelSession, node: KernelNode, {valid, fh}: Change) =>
	has(valid, setattrValid.fh) ? {handle: fh} : session.targetOf(node);

const setAttributes = async (session: KernelSession, node: KernelNode, change: Change): Promise<void> => {
	const {fileSystem} = session;
	const {valid, mode, uid, gid, size} = change;
	const target = targetOfChange(session, node, change);
	if (has(valid, setattrValid.mode)) {
		await fileSystem.chmod(target, permissionsOfMode(mode));
	}

	if (has(valid, setattrValid.uid | setattrValid.gid)) {
		await fileSystem.chown(target, {
			uid: has(valid, setattrValid.uid) ? uid : undefined,
			gid: has(valid, setattrValid.gid) ? gid : undefined,
		});
	}

	if (has(valid, setattrValid.size)) {
		await fileSystem.truncate(target, size); // Which sets the times that the kernel sends along.
	} else if (has(valid, setattrValid.atime | setattrValid.mtime | setattrValid.atimeNow | setattrValid.mtimeNow)) {
		await fileSystem.utimens(target, {
			atime: toTimeChange({
				isNow: has(valid, setattrValid.atimeNow),
				isSet: has(valid, setattrValid.atime),
				seconds: change.atime,
				nanoseconds: change.atimeNs,
			}),
			mtime: toTimeChange({
				isNow: has(valid, setattrValid.mtimeNow),
				isSet: has(valid, setattrValid.mtime),
				seconds: change.mtime,
				nanoseconds: change.mtimeNs,
			}),
		});
	}
};

const toTimeChange = ({
	isNow,
	isSet,
	seconds,
	nanoseconds,
}: {
	isNow: boolean;
	isSet: boolean;
	seconds: number;
	nanoseconds: number;
}): TimeChange => {
	if (isNow) {
		return 'now';
	}

	return isSet ? BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds) : 'omit';
};
