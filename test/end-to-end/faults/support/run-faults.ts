/**
Runs the scenarios of trouble in turn, each round with a seed of its own, until the time or the rounds are over, and
prints what each round counted. A failure ends the run with status 1, and says how to repeat it.

  npm run test:faults -- [--seed N] [--minutes N | --rounds N] [--only SCENARIO[,SCENARIO]] [--short] [--go-on]
    [--durability close|journal] [--versioned | --no-versioned] [--drop-caches] [--rgw]
*/
import {randomInt, randomUUID} from 'node:crypto';
import {parseArgs} from 'node:util';
import {startFaultyProxy} from '../../rgw/support/faulty-proxy.ts';
import {rgwServer} from '../../rgw/support/rgw-server.ts';
import {addFigures, durabilities, runRound, type Figures, type RoundRequest} from './scenario.ts';
import {scenarios} from './scenarios.ts';

const {values} = parseArgs({
	options: {
		seed: {type: 'string'},
		minutes: {type: 'string'},
		rounds: {type: 'string'},
		only: {type: 'string'},
		/** Rounds of the size that `npm test` runs. */
		short: {type: 'boolean', default: false},
		/** Counts failures and goes on. */
		'go-on': {type: 'boolean', default: false},
		/** One setting in place of all four in turn. */
		durability: {type: 'string'},
		versioned: {type: 'boolean'},
		/** Of the whole machine. */
		'drop-caches': {type: 'boolean', default: false},
		/** The server that `test/end-to-end/rgw/support/rgw.sh start` has started, and the scenarios that need no other. */
		rgw: {type: 'boolean', default: false},
	},
	allowNegative: true,
});
const seed = Number(values.seed ?? randomInt(2 ** 31));
const roundsMax = values.rounds === undefined ? Number.POSITIVE_INFINITY : Number(values.rounds);
const minutes = Number(values.minutes ?? (values.rounds === undefined ? 25 : Number.POSITIVE_INFINITY));
const names = values.only?.split(',');
const chosen = scenarios.filter(
	({name, needs}) => (names?.includes(name) ?? true) && !(values.rgw && needs === 'ours'),
);
const unknown = names?.filter(name => !scenarios.some(scenario => scenario.name === name)) ?? [];
if (unknown.length > 0) {
	throw new Error(
		`There is no scenario "${unknown.join('", "')}": choose from ${scenarios.map(({name}) => name).join(', ')}`,
	);
}

const durability = durabilities.find(name => name === values.durability);
if (values.durability !== undefined && durability === undefined) {
	throw new Error(`There is no durability "${values.durability}": choose from ${durabilities.join(', ')}`);
}

if (values.rgw && rgwServer.endpoint === '') {
	throw new Error(
		'Cannot use Ceph RGW as PNX_VOLUME_TEST_S3_ENDPOINT is not set: run "sh test/end-to-end/rgw/support/rgw.sh start", and export what it prints',
	);
}

const proxy = values.rgw ? await startFaultyProxy(rgwServer.endpoint) : undefined;
const toRequest = (round: number): RoundRequest => ({
	seed: seed + round,
	size: values.short ? 'short' : 'long',
	durability,
	isVersioned: values.versioned,
	mayDropCaches: values['drop-caches'],
	...(proxy === undefined ? {} : {s3: {...rgwServer, ...proxy, bucket: `faults-${randomUUID()}`}}),
});

console.log(`seed ${seed}`);
const endMs = performance.now() + minutes * 60_000;
const totals = new Map<string, Figures>();
let failureCount = 0;
for (let round = 0; round < roundsMax && performance.now() < endMs; round++) {
	for (const scenario of chosen) {
		if (performance.now() >= endMs) {
			break;
		}

		const startMs = performance.now();
		try {
			const figures = await runRound(scenario, toRequest(round));
			const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
			console.log(`round ${round}, ${scenario.name}: ${JSON.stringify(figures)} in ${seconds} s`);
			totals.set(scenario.name, addFigures(totals.get(scenario.name) ?? {}, {rounds: 1, ...figures}));
		} catch (error) {
			failureCount++;
			totals.set(scenario.name, addFigures(totals.get(scenario.name) ?? {}, {rounds: 1, failures: 1}));
			console.error(`round ${round}, ${error instanceof Error ? error.message : String(error)}`);
			if (!values['go-on']) {
				process.exit(1);
			}
		}
	}
}

await proxy?.close();
console.log('In all:');
for (const [name, figures] of totals) {
	console.log(`${name}: ${JSON.stringify(figures)}`);
}

process.exitCode = failureCount === 0 ? 0 : 1;
