import {messageOf} from '../model/error-text.ts';
import {defaultPluginDirectory} from '../node/host/plugin-directories.ts';
import type {Logger} from '../observability/logger.ts';

export type PluginDirectory = {
	readonly path: string;
	readonly source: 'option' | 'kubelet' | 'default';
};

export type PluginDirectoryQuestion = {
	/** What the operator has said. */
	readonly option: string | undefined;
	/** Looks at the kubelet's own settings on the node; `undefined` where they do not tell. */
	readonly look?: () => string | undefined;
	/** Asks the kubelet through the API server; absent outside a cluster. */
	readonly ask: ((signal: AbortSignal) => Promise<string | undefined>) | undefined;
	readonly log: Pick<Logger, 'warn'>;
};

/**
Where this node's kubelet looks for drivers: as the operator says, else as the kubelet's settings on the node say,
else as the kubelet answers, else the default. An answer is kept; without one it is asked at each call, and why
there was none is logged once.
*/
export class PluginDirectoryFinder {
	readonly #question: PluginDirectoryQuestion;
	#answered: PluginDirectory | undefined;
	#lastReason: string | undefined;

	constructor(question: PluginDirectoryQuestion) {
		this.#question = question;
		const {option} = question;
		this.#answered = option === undefined ? undefined : {path: option, source: 'option'};
	}

	async find(signal: AbortSignal): Promise<PluginDirectory> {
		this.#answered ??= this.#look() ?? (await this.#ask(signal));
		return this.#answered ?? {path: defaultPluginDirectory, source: 'default'};
	}

	#look(): PluginDirectory | undefined {
		const seen = this.#question.look?.();
		return seen === undefined ? undefined : {path: seen, source: 'kubelet'};
	}

	async #ask(signal: AbortSignal): Promise<PluginDirectory | undefined> {
		const {ask, log} = this.#question;
		try {
			return ask === undefined ? undefined : {path: (await ask(signal)) ?? defaultPluginDirectory, source: 'kubelet'};
		} catch (error) {
			signal.throwIfAborted();
			const reason = messageOf(error);
			if (reason !== this.#lastReason) {
				log.warn(
					{err: error, pluginDirectory: defaultPluginDirectory},
					'could not ask the kubelet for its plugin directory; the default is used, and --plugin-directory names another',
				);
			}

			this.#lastReason = reason;
			return undefined;
		}
	}
}
