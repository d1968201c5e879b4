import type {EntryStat} from '../../../filesystem/filesystem.ts';
import {FsError} from '../../../model/fs-error.ts';
import {toUtf8} from '../../fuse-path.ts';
import {kindOfMknod, permissionsOfMode} from '../../fuse-stat.ts';
import {parseRenameFlags} from '../../operation-flags.ts';
import {answerRoom} from '../kernel-device.ts';
import {callerOf, type KernelSession} from '../kernel-session.ts';
import type {KernelNode} from '../node-table.ts';
import type {KernelRequest, RequestHeader} from '../request.ts';

/** Names that come, go and move. */
export const createNameOperations = (session: KernelSession) => ({
	...createNewNameOperations(session),
	...createOldNameOperations(session),
});

const createNewNameOperations = (session: KernelSession) => {
	const {fileSystem} = session;
	return {
		mkdir(request: KernelRequest<'mkdir'>): void {
			const {body, strings} = request;
			const [name = ''] = strings;
			makeEntry(session, request, {call: 'mkdir', name}, async path =>
				fileSystem.mkdir(path, permissionsOfMode(body.mode), callerOf(request)),
			);
		},
		symlink(request: KernelRequest<'symlink'>): void {
			const [name = '', target = ''] = request.strings;
			makeEntry(session, request, {call: 'symlink', name}, async path =>
				fileSystem.symlink(toUtf8(target, 'link target'), path, callerOf(request)),
			);
		},
		mknod(request: KernelRequest<'mknod'>): void {
			const {body, strings} = request;
			const [name = ''] = strings;
			makeEntry(session, request, {call: 'mknod', name}, async path =>
				fileSystem.mknod(
					path,
					{kind: kindOfMknod(body.mode), permissions: permissionsOfMode(body.mode), rdev: body.rdev},
					callerOf(request),
				),
			);
		},
		link(request: KernelRequest<'link'>): void {
			const [name = ''] = request.strings;
			session.run(request, {name: 'link', subject: session.subjectOf(request.nodeId, name)}, async () => {
				throw new FsError('EPERM', 'Cannot make a hard link: an object of S3 has one key');
			});
		},
	};
};

/** Makes something that the kernel is then told of as a look-up would. */
const makeEntry = (
	session: KernelSession,
	request: RequestHeader,
	{call, name}: {call: string; name: string},
	make: (path: string) => Promise<void>,
): void => {
	session.run(
		request,
		{name: call, subject: session.subjectOf(request.nodeId, name)},
		async () => {
			const parent = session.nodeOf(request.nodeId);
			return session.gate.use([parent], async () => {
				const path = session.newPathIn(parent, name);
				await make(path);
				return {parent, stat: await session.fileSystem.getattr({path})};
			});
		},
		{
			succeed({parent, stat}: {parent: KernelNode; stat: EntryStat}) {
				const before = session.table.child(parent, name);
				if (before !== undefined) {
					session.table.detach(before); // What had the name before is not what the kernel made now.
				}

				session.answerEntry(request, {parent, name}, stat);
			},
		},
	);
};

const createOldNameOperations = (session: KernelSession) => {
	const {fileSystem, device} = session;
	return {
		readlink(request: KernelRequest<'readlink'>): void {
			const {unique, nodeId} = request;
			session.ask(
				request,
				{name: 'readlink', subject: session.subjectOf(nodeId)},
				async () => {
					const node = session.nodeOf(nodeId);
					return session.gate.use([node], async () => fileSystem.readlink(session.pathOf(node)));
				},
				target => device.answerInPlace(unique, Buffer.concat([Buffer.alloc(answerRoom), Buffer.from(target, 'utf8')])),
			);
		},
		unlink(request: KernelRequest<'unlink'>): void {
			removeName(session, request, {call: 'unlink', remove: async path => fileSystem.unlink(path)});
		},
		rmdir(request: KernelRequest<'rmdir'>): void {
			removeName(session, request, {call: 'rmdir', remove: async path => fileSystem.rmdir(path)});
		},
		rename(request: KernelRequest<'rename'>): void {
			rename(session, request, {newDirectoryId: request.body.newdir, flags: 0});
		},
		rename2(request: KernelRequest<'rename2'>): void {
			rename(session, request, {newDirectoryId: request.body.newdir, flags: request.body.flags});
		},
	};
};

const removeName = (
	session: KernelSession,
	request: KernelRequest<'rmdir' | 'unlink'>,
	{call, remove}: {call: string; remove: (path: string) => Promise<void>},
): void => {
	const {table, gate} = session;
	const [name = ''] = request.strings;
	session.run(request, {name: call, subject: session.subjectOf(request.nodeId, name)}, async () => {
		const parent = session.nodeOf(request.nodeId);
		await gate.change({used: [parent], moved: nodesOf(table.child(parent, name))}, async () => {
			await remove(session.pathIn(parent, name));
			const node = table.child(parent, name);
			if (node !== undefined) {
				table.detach(node);
			}
		});
	});
};

const rename = (
	session: KernelSession,
	request: KernelRequest<'rename' | 'rename2'>,
	{newDirectoryId, flags}: {newDirectoryId: number; flags: number},
): void => {
	const {table, gate, fileSystem} = session;
	const [name = '', newName = ''] = request.strings;
	session.run(request, {name: 'rename', subject: session.subjectOf(request.nodeId, name)}, async () => {
		const from = {parent: session.nodeOf(request.nodeId), name};
		const to = {parent: session.nodeOf(newDirectoryId), name: newName};
		const moved = [...nodesOf(table.child(from.parent, name)), ...nodesOf(table.child(to.parent, newName))];
		await gate.change({used: [from.parent, to.parent], moved}, async () => {
			await fileSystem.rename(
				session.pathIn(from.parent, name),
				session.newPathIn(to.parent, newName),
				parseRenameFlags(flags),
			);
			table.move(from, to);
		});
	});
};

const nodesOf = (node: KernelNode | undefined): KernelNode[] => (node === undefined ? [] : [node]);
