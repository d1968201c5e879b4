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
export const createPluginDirectoryFinder = ({
	option,
	look = () => undefined,
	ask,
	log,
}: PluginDirectoryQuestion): ((signal: AbortSignal) => Promise<PluginDirectory>) => {
	let answered: PluginDirectory | undefined = option === undefined ? undefined : {path: option, source: 'option'};
	let lastReason: string | undefined;
	return async signal => {
		if (answered !== undefined) {
			return answered;
		}

		const seen = look();
		if (seen !== undefined) {
			answered = {path: seen, source: 'kubelet'};
			return answered;
		}

		if (ask === undefined) {
			return {path: defaultPluginDirectory, source: 'default'};
		}

		try {
			answered = {path: (await ask(signal)) ?? defaultPluginDirectory, source: 'kubelet'};
			return answered;
		} catch (error) {
			signal.throwIfAborted();
			const reason = messageOf(error);
			if (reason !== lastReason) {
				log.warn(
					{err: error, pluginDirectory: defaultPluginDirectory},
					'kubelet not asked for its plugin directory, so the default is taken; --plugin-directory says another',
				);
			}

			lastReason = reason;
			return {path: defaultPluginDirectory, source: 'default'};
		}
	};
};
