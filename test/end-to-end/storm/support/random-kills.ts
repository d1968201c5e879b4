import {setTimeout as delay} from 'node:timers/promises';
import {signalProcess} from '../../../../src/node/host/process-identity.ts';
import type {RandomSource} from '../../../support/random-source.ts';
import type {StormNode} from './storm-node.ts';

export type Kill = 'daemon' | 'driver' | 'kubelet' | 'watch' | 'agent';

type RandomKills = {
	/** No more kills; how many of each there were. */
	readonly stop: () => Promise<Record<Kill, number>>;
};

const callsBetweenMax = 8;
const delayMsMax = 250;
const pollMs = 10;

/** What is not the node's own: whether there was something to kill. */
type Killers = Readonly<Partial<Record<Kill, () => boolean>>>;

/** Kills something each few calls of the kubelet, at a random moment of a call. */
export const startRandomKills = (
	node: StormNode,
	random: RandomSource,
	kills: readonly Kill[],
	killers: Killers = {},
): RandomKills => {
	const counts: Record<Kill, number> = {daemon: 0, driver: 0, kubelet: 0, watch: 0, agent: 0};
	let isStopped = false;
	const callCount = (): number => node.kubelet.callCounts.mount + node.kubelet.callCounts.unmount;
	const run = async (): Promise<void> => {
		let killCount = 0;
		let next = 1 + random.below(callsBetweenMax);
		while (!isStopped) {
			if (callCount() < next) {
				await delay(pollMs);
				continue;
			}

			next = callCount() + 1 + random.below(callsBetweenMax);
			await delay(random.below(delayMsMax));
			const kill = kills[killCount % kills.length]!; // In turn, so that each kind comes.
			if ((killers[kill] ?? (() => killOne(node, random, kill)))()) {
				counts[kill]++;
				killCount++;
			}
		}
	};

	const running = run();
	return {
		async stop() {
			isStopped = true;
			await running;
			return counts;
		},
	};
};

const killOne = (node: StormNode, random: RandomSource, kill: Kill): boolean => {
	switch (kill) {
		case 'daemon': {
			const daemons = node.daemons();
			return daemons.length > 0 && signalProcess(random.pick(daemons), 'SIGKILL');
		}

		case 'driver': {
			const calls = node.kubelet.runningCalls();
			if (calls.length === 0) {
				return false;
			}

			random.pick(calls).kill(random.pick(['group', 'shell', 'node']));
			return true;
		}

		case 'kubelet': {
			node.kubelet.restart({endsCalls: random.chance(0.5)});
			return true;
		}

		case 'watch':
		case 'agent': {
			throw new Error(`Nobody has said how to kill the ${kill}`);
		}
	}
};
