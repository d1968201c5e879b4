import type {DirectoryEntry, EntryKind} from '../../../filesystem/filesystem.ts';
import {typeBitsOf} from '../../../model/entry-kind.ts';
import {joinPath} from '../../../model/object-key.ts';
import {FsError} from '../../../model/fs-error.ts';
import {toEntryValues} from '../attribute-parts.ts';
import {answerRoom, partOf, requestBytesMax} from '../kernel-device.ts';
import type {KernelSession} from '../kernel-session.ts';
import type {KernelNode} from '../node-table.ts';
import {dirent, entryOut, openOut} from '../protocol.ts';
import type {KernelRequest} from '../request.ts';

type ListRequest = KernelRequest<'readdir' | 'readdirplus'>;

/** The listing of directories. */
export const createDirectoryOperations = (session: KernelSession) => {
	const {fileSystem, device, gate} = session;
	return {
		opendir(request: KernelRequest<'opendir'>): void {
			const {unique, nodeId} = request;
			session.run(
				request,
				{name: 'opendir', subject: session.subjectOf(nodeId)},
				async () => {
					const node = session.nodeOf(nodeId);
					return gate.use([node], async () => fileSystem.opendir(session.pathOf(node)));
				},
				{
					succeed(handle) {
						if (!device.answerWith(unique, partOf(openOut, {fh: handle}))) {
							void fileSystem.releasedir(handle);
						}
					},
					abandon: handle => void fileSystem.releasedir(handle),
				},
			);
		},
		readdir(request: KernelRequest<'readdir'>): void {
			list(session, request, {hasAttributes: false});
		},
		readdirplus(request: KernelRequest<'readdirplus'>): void {
			list(session, request, {hasAttributes: true});
		},
		releasedir(request: KernelRequest<'releasedir'>): void {
			const {body} = request;
			session.run(request, {name: 'releasedir', subject: `#${body.fh}`}, async () => fileSystem.releasedir(body.fh));
		},
		fsyncdir(request: KernelRequest<'fsyncdir'>): void {
			const {body} = request;
			session.run(request, {name: 'fsyncdir', subject: `#${body.fh}`}, async () => fileSystem.fsyncdir(body.fh));
		},
	};
};

const list = (session: KernelSession, request: ListRequest, {hasAttributes}: {hasAttributes: boolean}): void => {
	const {body, unique, nodeId} = request;
	session.ask(
		request,
		{name: 'readdir', subject: `#${body.fh}`},
		async () => fileSystemEntries(session, request),
		entries => {
			const writer = new ListWriter(session, {
				directory: session.table.get(nodeId) ?? session.table.root,
				bytesMax: Math.min(body.size, requestBytesMax),
				hasAttributes,
			});
			for (const entry of entries) {
				if (!writer.add(entry)) {
					break;
				}
			}

			writer.answer(unique);
		},
	);
};

const fileSystemEntries = async ({fileSystem}: KernelSession, {body}: ListRequest): Promise<DirectoryEntry[]> => {
	const entries = await fileSystem.readdir(body.fh, body.offset);
	if (entries[0] !== undefined && body.size < entryOut.bytes + toRecordBytes(Buffer.byteLength(entries[0].name))) {
		throw new FsError('EINVAL', `Cannot list into ${body.size} bytes: they are too few for one name`);
	}

	return entries;
};

/** Records are padded to a multiple of 8. */
const toRecordBytes = (nameBytes: number): number => Math.ceil((dirent.bytes + nameBytes) / 8) * 8;

/** One answer to READDIR or READDIRPLUS, entry by entry. */
class ListWriter {
	readonly #session: KernelSession;
	readonly #directory: KernelNode;
	readonly #path: string | undefined;
	readonly #hasAttributes: boolean;
	readonly #buffer: Buffer;
	readonly #view: DataView;
	readonly #given: KernelNode[] = [];
	#end = answerRoom;

	constructor(
		session: KernelSession,
		{directory, bytesMax, hasAttributes}: {directory: KernelNode; bytesMax: number; hasAttributes: boolean},
	) {
		this.#session = session;
		this.#directory = directory;
		this.#path = session.table.pathOf(directory);
		this.#hasAttributes = hasAttributes;
		this.#buffer = Buffer.alloc(answerRoom + bytesMax);
		this.#view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset, this.#buffer.length);
	}

	/** False when there is no room for it. */
	add({name, kind, nextOffset}: DirectoryEntry): boolean {
		const nameBytes = Buffer.byteLength(name);
		const length = (this.#hasAttributes ? entryOut.bytes : 0) + toRecordBytes(nameBytes);
		if (this.#end + length > this.#buffer.length) {
			return false;
		}

		let offset = this.#end;
		let shown: EntryKind | 'unknown' = kind;
		if (this.#hasAttributes) {
			shown = this.#addAttributes(offset, name) ?? kind;
			offset += entryOut.bytes;
		}

		dirent.write(this.#view, offset, {
			ino: this.#inodeNumberOf(name),
			off: nextOffset,
			namelen: nameBytes,
			type: shown === 'unknown' ? 0 : typeBitsOf(shown) >> 12,
		});
		this.#buffer.write(name, offset + dirent.bytes, 'utf8');
		this.#end += length;
		return true;
	}

	answer(unique: number): void {
		const {device, table} = this.#session;
		if (!device.answerInPlace(unique, this.#buffer.subarray(0, this.#end))) {
			for (const node of this.#given) {
				table.forget(node.id, 1);
			}
		}
	}

	/** The attributes where they are known: then the kernel has the entry as if it had looked it up. */
	#addAttributes(offset: number, name: string): EntryKind | undefined {
		const {fileSystem, table, validity} = this.#session;
		if (name === '.' || name === '..' || this.#path === undefined) {
			return undefined;
		}

		// Whether opens of a node have what its name is now, a look-up has to find out.
		const isOpen = (table.child(this.#directory, name)?.handles.size ?? 0) > 0;
		const stat = isOpen ? undefined : fileSystem.knownAttributes(joinPath(this.#path, name));
		if (stat === undefined) {
			return undefined;
		}

		const node = table.lookedUp(this.#directory, name, stat.kind);
		node.sizeBytes = stat.sizeBytes;
		this.#given.push(node);
		entryOut.write(this.#view, offset, toEntryValues(node, stat, validity));
		return stat.kind;
	}

	#inodeNumberOf(name: string): number {
		switch (name) {
			case '.': {
				return this.#directory.ino;
			}

			case '..': {
				return (this.#directory.parent ?? this.#session.table.root).ino;
			}

			default: {
				return this.#session.table.inodeNumber(this.#directory, name);
			}
		}
	}
}
