import {setTimeout as delay} from 'node:timers/promises';
import {StatusRounds} from './status-rounds.ts';
import {formatStatus, type StatusRow} from './status-table.ts';

export type WatchSettings = {
	readonly stateDirectory: string;
	/** A line of JSON for each round instead of a table. */
	readonly json: boolean;
	readonly intervalMs: number;
	readonly output: NodeJS.WriteStream;
};

/** The first rates come early, so that the table does not show dashes for a whole interval. */
const firstIntervalMs = 500;
const home = '\u001B[H';
const clearToLineEnd = '\u001B[K';
const clearBelow = '\u001B[J';

/** Shows the volumes of a node repeatedly. Resolves after Ctrl-C, SIGTERM, or when the reader of the output is gone. */
export const watchStatus = async (settings: WatchSettings): Promise<void> => {
	const {stateDirectory, json, intervalMs, output} = settings;
	const ended = new AbortController();
	const end = (): void => ended.abort();
	const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
	for (const signal of signals) {
		process.on(signal, end);
	}

	output.on('error', end).on('close', end);
	const rounds = new StatusRounds(stateDirectory);
	try {
		for (let round = 0; !ended.signal.aborted; round++) {
			const rows = await rounds.next();
			if (!ended.signal.aborted) {
				output.write(json ? `${JSON.stringify(rows.map(({volume}) => volume))}\n` : frame(rows, settings));
			}

			await delay(round === 0 ? Math.min(firstIntervalMs, intervalMs) : intervalMs, undefined, {
				signal: ended.signal,
			}).catch(() => undefined); // It rejects for `ended` alone.
		}
	} finally {
		for (const signal of signals) {
			process.off(signal, end);
		}

		output.off('error', end).off('close', end);
	}
};

const frame = (rows: readonly StatusRow[], {stateDirectory, output}: WatchSettings): string => {
	const heading = `${new Date().toISOString()}  ${describeHealth(rows)}`;
	if (!output.isTTY) {
		return `${heading}\n${formatStatus(rows, {stateDirectory})}\n`;
	}

	const {columns, rows: height} = output;
	const lines = [heading, '', ...formatStatus(rows, {stateDirectory, widthMax: columns}).trimEnd().split('\n')];
	const shown =
		lines.length < height
			? lines
			: [
					...lines.slice(0, height - 2),
					`… ${lines.length - height + 2} more lines; enlarge the terminal, or use status without --watch`,
				];
	// Overwritten in place: clearing first would flicker.
	return `${home}${shown.map(line => `${line}${clearToLineEnd}`).join('\n')}\n${clearBelow}`;
};

/** `3 volumes: 2 healthy, 1 dead`. */
const describeHealth = (rows: readonly StatusRow[]): string => {
	const counts = new Map<string, number>();
	for (const {
		volume: {health},
	} of rows) {
		counts.set(health, (counts.get(health) ?? 0) + 1);
	}

	const parts = [...counts].map(([health, count]) => `${count} ${health}`).join(', ');
	return `${rows.length} ${rows.length === 1 ? 'volume' : 'volumes'}${parts === '' ? '' : `: ${parts}`}`;
};
