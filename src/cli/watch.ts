import {setTimeout as delay} from 'node:timers/promises';
import type {Argv, CommandModule} from 'yargs';
import {optionTable} from '../model/option-table.ts';
import {OptionError, parseOptionValue} from '../model/option-value.ts';
import type {WatchMessage} from '../healing/watch-message.ts';
import {watchVolumes} from '../healing/watch-volumes.ts';
import type {NodeEnvironment} from '../node/node-environment.ts';
import {packageVersion} from '../daemon/package-version.ts';

type WatchFlags = {
	human: boolean;
	interval: string;
	'answer-within': string;
	'silent-rounds': string;
	'unused-after': string;
	'keep-for': string;
	'stuck-after': string;
};

/** How long healing under way may take when the watch is told to end; the next watch continues what is cut off. */
const endMs = 4000;

/** `watch`: the half of the agent that works on the node, and what a person runs to see it work. */
export const watchCommand = (environment: NodeEnvironment): CommandModule<object, WatchFlags> => ({
	command: 'watch',
	describe: 'Watch the volumes of pods on this node and heal them (the agent runs this)',
	builder: yargs => addWatchFlags(yargs),
	async handler(flags) {
		const ending = new AbortController();
		for (const event of ['SIGTERM', 'SIGINT'] as const) {
			process.once(event, () => ending.abort());
		}

		// The process that started us holds the other end: when it dies, we end too.
		process.stdin
			.on('end', () => ending.abort())
			.on('error', () => ending.abort())
			.resume();
		const watching = watchVolumes(environment, {
			settings: {
				intervalMs: toMs('interval', flags.interval),
				answerMs: toMs('answer-within', flags['answer-within']),
				silentRoundsMax: toCount(flags['silent-rounds']),
				unusedMs: toMs('unused-after', flags['unused-after']),
				keepMs: toMs('keep-for', flags['keep-for']),
				stuckMs: toMs('stuck-after', flags['stuck-after']),
			},
			version: packageVersion(),
			emit: message => process.stdout.write(flags.human ? formatMessage(message) : `${JSON.stringify(message)}\n`),
			signal: ending.signal,
		});
		const cutOff = new Promise<void>(resolve => {
			ending.signal.addEventListener('abort', () => void delay(endMs, undefined, {ref: false}).then(resolve));
		});
		await Promise.race([watching, cutOff]);
		// A child that asks a hanging mount cannot be waited for.
		process.exit();
	},
});

const addWatchFlags = (yargs: Argv): Argv<WatchFlags> =>
	yargs
		.option('human', {type: 'boolean', default: false, describe: 'Lines for people instead of JSON'})
		.option('interval', {type: 'string', requiresArg: true, default: '5s', describe: 'Time between two checks'})
		.option('answer-within', {
			type: 'string',
			requiresArg: true,
			default: '10s',
			describe: 'How long a mount and its daemon may take to answer',
		})
		.option('silent-rounds', {
			type: 'string',
			requiresArg: true,
			default: '3',
			describe: 'End a daemon and start it again after this many checks in a row without an answer',
		})
		.option('unused-after', {
			type: 'string',
			requiresArg: true,
			default: '60s',
			describe: 'End a daemon that no pod has used for this long',
		})
		.option('keep-for', {
			type: 'string',
			requiresArg: true,
			default: '600s',
			describe: 'How long to keep the cache of a volume that no pod uses',
		})
		.option('stuck-after', {
			type: 'string',
			requiresArg: true,
			default: '600s',
			describe: 'Report uploads that have made no progress for this long',
		})
		.example('$0 watch --human', 'What happens to the volumes of this node, until Ctrl-C');

/** A line for each notice, and one for each look. */
const formatMessage = (message: WatchMessage): string => {
	if (message.type === 'notice') {
		const {atMs, type, reason, message: text, pods} = message.notice;
		return `${new Date(atMs).toISOString()} ${type} ${reason}: ${text} [${pods.map(({namespace, name, path}) => (name === undefined ? path : `${namespace ?? '?'}/${name}`)).join(', ')}]\n`;
	}

	const {atMs, volumes} = message.report;
	const troubled = volumes.filter(({health}) => health !== 'healthy');
	return `${new Date(atMs).toISOString()} ${volumes.length} ${volumes.length === 1 ? 'volume' : 'volumes'}${troubled.map(({bucket, health}) => `, ${bucket} ${health}`).join('')}\n`;
};

/** Read as the option `timeout` of volumes is. */
const toMs = (name: string, value: string): number => {
	const definition = optionTable.find(option => option.name === 'timeout');
	if (definition?.kind !== 'duration') {
		throw new OptionError('Option "timeout" is not a duration any more');
	}

	return Number(parseOptionValue({...definition, name, minMs: 10, maxMs: 86_400_000}, value));
};

const toCount = (value: string): number => {
	if (!/^[1-9]\d{0,3}$/.test(value)) {
		throw new OptionError(
			`Option "silent-rounds" must be a number from 1 to 9999: current value is "${value.slice(0, 40)}"`,
		);
	}

	return Number(value);
};
