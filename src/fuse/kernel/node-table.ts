import type {EntryKind, Handle} from '../../filesystem/filesystem.ts';
import {inodeNumberOf} from './inode-number.ts';
import {rootNodeId} from './protocol.ts';

/** What the kernel has an inode of: a file or a directory, and its name as long as it has one. */
export type KernelNode = {
	/** The number by which the kernel asks for it. Never used twice. */
	readonly id: number;
	/** What programs see as `st_ino`. */
	readonly ino: number;
	readonly kind: EntryKind;
	/** Absent: the root, or what has no name any more. */
	parent: KernelNode | undefined;
	name: string;
	/** How often the kernel was given it, less what it forgot. */
	lookupCount: number;
	/** What it holds by name; the kernel may have forgotten it earlier than those. */
	children: ReadonlyMap<string, KernelNode>;
	/** The opens of the kernel, of a file. */
	handles: ReadonlySet<Handle>;
	/** The size that the kernel was told last, or has written up to. */
	sizeBytes: number | undefined;
};

/** Most nodes have neither, and there may be millions of them. */
const noChildren: ReadonlyMap<string, KernelNode> = new Map();
const noHandles: ReadonlySet<Handle> = new Set();

/**
The inodes that the kernel knows, and their names. The kernel asks by number and name; `FileSystem` wants paths. A node
lives until the kernel has forgotten it as often as it was given it. A name that is removed, or stands for something
else now, leaves its node without one, and what has it open goes on.
*/
export class NodeTable {
	readonly root: KernelNode;
	readonly #nodes = new Map<number, KernelNode>();
	readonly #inodeNumbers = new Set<number>();
	#nextId = rootNodeId + 1;

	constructor() {
		this.root = {
			id: rootNodeId,
			ino: rootNodeId,
			kind: 'directory',
			parent: undefined,
			name: '',
			lookupCount: 1,
			children: noChildren,
			handles: noHandles,
			sizeBytes: undefined,
		};
		this.#nodes.set(rootNodeId, this.root);
	}

	/** How many the kernel knows, or has children of. */
	get count(): number {
		return this.#nodes.size;
	}

	/** `undefined` for a number that the kernel cannot have from us, or has forgotten. */
	get(id: number): KernelNode | undefined {
		return this.#nodes.get(id);
	}

	/** The node of a name, if the kernel knows it. */
	child(parent: KernelNode, name: string): KernelNode | undefined {
		return parent.children.get(name);
	}

	/** The path of a node without a leading slash; `undefined` when it, or a directory above it, has no name any more. */
	pathOf(node: KernelNode): string | undefined {
		const names: string[] = [];
		let current = node;
		while (current.parent !== undefined) {
			names.push(current.name);
			current = current.parent;
		}

		return current === this.root ? names.reverse().join('/') : undefined;
	}

	/** Whether a node is another, or lies below it. */
	isWithin(node: KernelNode, ancestor: KernelNode): boolean {
		for (let current: KernelNode | undefined = node; current !== undefined; current = current.parent) {
			if (current === ancestor) {
				return true;
			}
		}

		return false;
	}

	/**
	The kernel is given what a name is: the node that it knows, or a new one. One of another kind loses the name. Call it
	once for each answer, and `forget` when the kernel did not take that.
	*/
	lookedUp(parent: KernelNode, name: string, kind: EntryKind): KernelNode {
		const known = parent.children.get(name);
		if (known !== undefined && known.kind === kind) {
			known.lookupCount++;
			return known;
		}

		if (known !== undefined) {
			this.detach(known);
		}

		return this.#add(parent, name, kind);
	}

	/** The name stands for nothing, or for something else, from now on. */
	detach(node: KernelNode): void {
		const {parent} = node;
		if (parent !== undefined) {
			removeChild(parent, node.name);
			node.parent = undefined;
			this.#collect(node);
			this.#collect(parent);
		}
	}

	/** A name moved, over another perhaps. What the kernel does not know needs no move. */
	move(from: {parent: KernelNode; name: string}, to: {parent: KernelNode; name: string}): void {
		const node = from.parent.children.get(from.name);
		const replaced = to.parent.children.get(to.name);
		if (replaced !== undefined && replaced !== node) {
			this.detach(replaced);
		}

		if (node !== undefined && node !== replaced) {
			removeChild(from.parent, from.name);
			node.parent = to.parent;
			node.name = to.name;
			addChild(to.parent, node);
			this.#collect(from.parent);
		}
	}

	/** The kernel has forgotten a node so many times. */
	forget(id: number, count: number): void {
		const node = this.#nodes.get(id);
		if (node !== undefined && node !== this.root) {
			node.lookupCount = Math.max(0, node.lookupCount - count);
			this.#collect(node);
		}
	}

	/** The kernel has a file open. */
	opened(node: KernelNode, handle: Handle): void {
		node.handles = node.handles.size === 0 ? new Set([handle]) : (node.handles as Set<Handle>).add(handle);
	}

	/** The last descriptor of an open is closed. */
	closed(node: KernelNode, handle: Handle): void {
		if (node.handles.has(handle)) {
			(node.handles as Set<Handle>).delete(handle);
		}
	}

	/** What a name of a directory would have as `st_ino`, or has. */
	inodeNumber(parent: KernelNode, name: string): number {
		const known = parent.children.get(name);
		if (known !== undefined) {
			return known.ino;
		}

		const path = this.pathOf(parent);
		return inodeNumberOf(path === undefined || path === '' ? name : `${path}/${name}`);
	}

	#add(parent: KernelNode, name: string, kind: EntryKind): KernelNode {
		const node: KernelNode = {
			id: this.#nextId++,
			ino: this.#freeInodeNumber(parent, name),
			kind,
			parent,
			name,
			lookupCount: 1,
			children: noChildren,
			handles: noHandles,
			sizeBytes: undefined,
		};
		this.#nodes.set(node.id, node);
		this.#inodeNumbers.add(node.ino);
		addChild(parent, node);
		return node;
	}

	/** That of the path, unless another that the kernel knows has it: of a version before, or moved from there. */
	#freeInodeNumber(parent: KernelNode, name: string): number {
		const directory = this.pathOf(parent);
		const path = directory === undefined || directory === '' ? name : `${directory}/${name}`;
		for (let salt = 0; ; salt++) {
			const number = inodeNumberOf(path, salt);
			if (!this.#inodeNumbers.has(number)) {
				return number;
			}
		}
	}

	/** Forgets a node that neither the kernel nor a child of it needs, and those above that it was the last to need. */
	#collect(node: KernelNode): void {
		if (node.lookupCount > 0 || node.children.size > 0 || !this.#nodes.has(node.id)) {
			return;
		}

		this.#nodes.delete(node.id);
		this.#inodeNumbers.delete(node.ino);
		const {parent} = node;
		if (parent !== undefined) {
			removeChild(parent, node.name);
			this.#collect(parent);
		}
	}
}

const addChild = (parent: KernelNode, node: KernelNode): void => {
	const children =
		parent.children === noChildren ? new Map<string, KernelNode>() : (parent.children as Map<string, KernelNode>);
	parent.children = children.set(node.name, node);
};

const removeChild = (parent: KernelNode, name: string): void => {
	(parent.children as Map<string, KernelNode>).delete(name);
};
