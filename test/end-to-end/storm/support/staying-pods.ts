import {setTimeout as delay} from 'node:timers/promises';
import type {PodVolume} from './kubelet-stand-in.ts';
import type {RandomSource} from '../../../support/random-source.ts';
import type {StormNode} from './storm-node.ts';
import {createPod, type StormVolume, type WrittenFiles} from './storm-volumes.ts';

type StayingPods = {
	/** They stop using their volumes; what they found wrong meanwhile. */
	readonly settle: () => Promise<string[]>;
	/**
	Rejects with what does not work, when not every pod can write and read every acknowledged file of its volume in
	time.
	*/
	readonly whenWell: (timeoutMs: number) => Promise<void>;
	readonly remove: () => void;
};

const pauseMs = 100;

/**
Pods that are there for the whole of a storm, and use their volumes all the time. While a daemon is dead they get
errors, which is allowed; what is never allowed is other bytes than those that were written.
*/
export const startStayingPods = async ({
	node,
	volumes,
	files,
	random,
	countEach,
	settleMs,
}: {
	node: StormNode;
	volumes: readonly StormVolume[];
	files: WrittenFiles;
	random: RandomSource;
	countEach: number;
	settleMs: number;
}): Promise<StayingPods> => {
	const pods = volumes.flatMap(volume =>
		Array.from({length: countEach}, () => ({pod: createPod(volume), bucket: volume.bucket})),
	);
	pods.forEach(({pod}) => node.kubelet.add(pod));
	await node.kubelet.whenSettled(settleMs);
	let isOver = false;
	const use = async (pod: PodVolume, bucket: string): Promise<string[]> => {
		const directory = node.kubelet.directoryOf(pod);
		const wrong: string[] = [];
		for (let count = 0; !isOver; count++) {
			const name = `staying-${pod.podUid}-${count}`;
			if (await files.write(directory, bucket, name, random.below(20_000))) {
				wrong.push(...(await files.wrongInPod(directory, bucket, [name])).filter(text => isWrongBytes(text)));
			}

			await delay(pauseMs);
		}

		return wrong;
	};

	const using = pods.map(async ({pod, bucket}) => use(pod, bucket));
	return {
		async settle() {
			isOver = true;
			return (await Promise.all(using)).flat();
		},
		async whenWell(timeoutMs) {
			const endMs = performance.now() + timeoutMs;
			await Promise.all(
				pods.map(async ({pod, bucket}) => {
					const directory = node.kubelet.directoryOf(pod);
					for (let attempt = 0; ; attempt++) {
						const isWritten = await files.write(directory, bucket, `healed-${pod.podUid}-${attempt}`, 1000);
						const wrong = isWritten
							? await files.wrongInPod(directory, bucket)
							: [`${pod.podUid} cannot write to ${bucket}`];
						if (wrong.length === 0) {
							return;
						}

						if (performance.now() > endMs || wrong.some(text => isWrongBytes(text))) {
							throw new Error(`Not well within ${timeoutMs / 1000} s:\n${wrong.slice(0, 20).join('\n')}`);
						}

						await delay(pauseMs);
					}
				}),
			);
		},
		remove: () => pods.forEach(({pod}) => node.kubelet.remove(pod)),
	};
};

const isWrongBytes = (text: string): boolean => text.includes('not the bytes');
