import type {RandomSource} from '../../../support/random-source.ts';
import type {StormNode} from './storm-node.ts';
import {createPod, type StormVolume, type WrittenFiles} from './storm-volumes.ts';

type StormSize = {readonly pods: number; readonly volumes: number; readonly rounds: number};

/** `PNX_VOLUME_TEST_STORM=50x10x20` (pods, volumes, rounds) makes every storm that large. */
export const stormSize = (normal: StormSize): StormSize => {
	const [pods, volumes, rounds] = (process.env['PNX_VOLUME_TEST_STORM'] ?? '').split('x').map(Number);
	return pods !== undefined && volumes !== undefined && rounds !== undefined ? {pods, volumes, rounds} : normal;
};

/** Long enough that only what will never end takes as long. */
const mountedMsMax = 90_000;

/** What a storm found wrong while it went on; empty when all is well. */
type StormFindings = string[];

/**
As many pods at a time as `size` says come and go, each `rounds` times, none waiting for another: each mounts its
volume, writes files, reads some that other pods have written, and goes. With `isRough` files may be refused and
pods may be stuck (something is killed meanwhile); what is read must be right all the same.
*/
export const runStorm = async ({
	node,
	volumes,
	files,
	size,
	random,
	isRough,
}: {
	node: StormNode;
	volumes: readonly StormVolume[];
	files: WrittenFiles;
	size: StormSize;
	random: RandomSource;
	isRough: boolean;
}): Promise<StormFindings> => {
	const findings: StormFindings = [];
	const runPod = async (slot: number, round: number): Promise<void> => {
		const volume = volumes[slot % volumes.length]!; // There is one at least.
		const pod = createPod(volume);
		const directory = node.kubelet.directoryOf(pod);
		node.kubelet.add(pod);
		try {
			await node.kubelet.whenMounted(pod, mountedMsMax);
			const older = files.acknowledgedNames(volume.bucket).filter(name => !name.startsWith('latest-'));
			const written = await Promise.all([
				files.write(directory, volume.bucket, `pod-${slot}-round-${round}`, random.below(40_000)),
				files.write(directory, volume.bucket, `latest-${slot}`, random.below(2000)),
				...(random.chance(0.1)
					? [files.write(directory, volume.bucket, `large-${slot}-${round}`, 3_000_000 + random.below(7_000_000))]
					: []),
			]);
			if (!isRough && written.includes(false)) {
				findings.push(`${pod.podUid}: a file of ${volume.bucket} was refused`);
			}

			const names = older.length === 0 ? [] : [random.pick(older), random.pick(older)];
			const wrong = await files.wrongInPod(directory, volume.bucket, names);
			findings.push(...wrong.filter(text => !isRough || isWrongBytes(text)));
		} catch (error) {
			if (!isRough) {
				findings.push(error instanceof Error ? error.message : String(error));
			}
		} finally {
			node.kubelet.remove(pod);
		}
	};

	await Promise.all(
		Array.from({length: size.pods}, async (_, slot) => {
			for (let round = 0; round < size.rounds; round++) {
				await runPod(slot, round);
			}
		}),
	);
	return findings;
};

/**
Not that a mount has died under its reader, but that it said something wrong: other bytes, or that there is no such
file.
*/
const isWrongBytes = (text: string): boolean => /not the bytes|ENOENT/.test(text);
