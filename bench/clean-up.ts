type Task = () => Promise<unknown>;

/** What has to be taken away at the end, the newest first, however the end comes. */
export class CleanUp {
	readonly #tasks: Task[] = [];

	add(task: Task): void {
		this.#tasks.push(task);
	}

	/** Runs each task once, also when others fail. */
	async run(): Promise<void> {
		for (let task = this.#tasks.pop(); task !== undefined; task = this.#tasks.pop()) {
			try {
				await task();
			} catch (error) {
				console.error(`Cannot clean up: ${String(error)}`);
			}
		}
	}
}
