import {setTimeout as delay} from 'node:timers/promises';
import type {CommandModule} from 'yargs';
import {listVolumes} from '../node/volumes/list-volumes.ts';
import type {NodeEnvironment} from '../node/node-environment.ts';
import {StatusRounds} from './status-rounds.ts';
import {formatStatus} from './status-table.ts';
import {UsageError} from './usage-error.ts';
import {watchStatus} from './watch-status.ts';

type StatusFlags = {json: boolean; watch: string | undefined};

/** Between the two looks that a single table needs for its rates. */
const rateMs = 500;
const watchSecondsDefault = 2;
const watchSecondsMax = 3600;

/** `status`: every volume of this node, as a table for people or as JSON. */
export const statusCommand = (environment: NodeEnvironment): CommandModule<object, StatusFlags> => ({
	command: 'status',
	describe: 'Show every mount on this node',
	builder: yargs =>
		yargs
			.option('json', {type: 'boolean', default: false, describe: 'Print an array of objects instead of a table'})
			.option('watch', {
				type: 'string',
				describe: `Repeat every N seconds (default: ${watchSecondsDefault}), until Ctrl-C`,
			})
			.example('$0 status', 'Volumes and their pods, health, throughput, cache, bytes that wait for their upload')
			.example('$0 status --watch 5', 'The same every 5 seconds')
			.example('$0 status --json', 'The same for a program, with all the numbers of each daemon'),
	async handler({json, watch}) {
		const {stateDirectory} = environment;
		if (watch !== undefined) {
			await watchStatus({stateDirectory, json, intervalMs: parseSeconds(watch) * 1000, output: process.stdout});
			return;
		}

		if (json) {
			process.stdout.write(`${JSON.stringify(await listVolumes(stateDirectory), undefined, '\t')}\n`);
			return;
		}

		const rounds = new StatusRounds(stateDirectory);
		if ((await rounds.next()).some(({volume}) => volume.metrics !== undefined)) {
			await delay(rateMs);
			await rounds.refreshMetrics();
		}

		process.stdout.write(
			formatStatus(rounds.rows(), {
				stateDirectory,
				widthMax: process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY,
			}),
		);
	},
});

const parseSeconds = (text: string): number => {
	const seconds = text === '' ? watchSecondsDefault : /^\d{1,4}(?:\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
	if (!(seconds >= 0.1 && seconds <= watchSecondsMax)) {
		throw new UsageError(
			`--watch takes a number of seconds from 0.1 to ${watchSecondsMax}: current value is "${text.slice(0, 40)}"`,
		);
	}

	return seconds;
};
