import type {KernelNode, NodeTable} from './node-table.ts';

type Move = {readonly nodes: readonly KernelNode[]; readonly ended: Promise<void>};

/**
Keeps operations on paths and changes of these paths apart: one that began with a path finishes before a node on that
path gets another, and one that comes meanwhile waits for the path of after. The kernel holds only the two directories
of a rename, and not what lies below, nor what asks for a node by its number.
*/
export class PathGate {
	readonly #table: NodeTable;
	readonly #moves = new Set<Move>();
	/** The nodes of tasks that run, and how many tasks use each. */
	readonly #uses = new Map<KernelNode, number>();
	#noteEnd: (() => void) | undefined;

	constructor(table: NodeTable) {
		this.#table = table;
	}

	/** Runs a task that uses the paths of nodes, which stay as they are until it ends. */
	async use<Result>(nodes: readonly KernelNode[], task: () => Promise<Result>): Promise<Result> {
		for (let move = this.#moveAbove(nodes); move !== undefined; move = this.#moveAbove(nodes)) {
			await move.ended;
		}

		this.#begin(nodes);
		try {
			return await task();
		} finally {
			this.#end(nodes);
		}
	}

	/**
	Runs a task that uses the paths of some nodes, and moves or removes others: nobody else uses a path on which those
	are. It never waits for a task that waits: who moves something counts as a user of what that lies in.
	*/
	async change<Result>(
		{used, moved}: {readonly used: readonly KernelNode[]; readonly moved: readonly KernelNode[]},
		task: () => Promise<Result>,
	): Promise<Result> {
		const nodes = [...used, ...moved];
		for (let move = this.#moveAbove(nodes); move !== undefined; move = this.#moveAbove(nodes)) {
			await move.ended;
		}

		const {promise: ended, resolve} = Promise.withResolvers<void>();
		const move: Move = {nodes: moved, ended};
		this.#moves.add(move);
		this.#begin(used);
		try {
			while (moved.some(node => this.#isOnPath(node, [...this.#uses.keys()]))) {
				await this.#anyEnd();
			}

			return await task();
		} finally {
			this.#moves.delete(move);
			this.#end(used);
			resolve();
		}
	}

	#moveAbove(nodes: readonly KernelNode[]): Move | undefined {
		if (this.#moves.size === 0) {
			return undefined;
		}

		return [...this.#moves].find(({nodes: moved}) => moved.some(node => this.#isOnPath(node, nodes)));
	}

	#isOnPath(node: KernelNode, nodes: readonly KernelNode[]): boolean {
		return nodes.some(other => this.#table.isWithin(other, node));
	}

	#begin(nodes: readonly KernelNode[]): void {
		for (const node of nodes) {
			this.#uses.set(node, (this.#uses.get(node) ?? 0) + 1);
		}
	}

	#end(nodes: readonly KernelNode[]): void {
		for (const node of nodes) {
			const count = (this.#uses.get(node) ?? 1) - 1;
			if (count === 0) {
				this.#uses.delete(node);
			} else {
				this.#uses.set(node, count);
			}
		}

		this.#noteEnd?.();
	}

	async #anyEnd(): Promise<void> {
		const {promise, resolve} = Promise.withResolvers<void>();
		const before = this.#noteEnd;
		this.#noteEnd = () => {
			this.#noteEnd = undefined;
			before?.();
			resolve();
		};
		await promise;
	}
}
