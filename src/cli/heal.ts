import {resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {healVolume, type HealOutcome} from '../healing/heal-volume.ts';
import {describeHealing, describeMissingCredentials} from '../healing/notices.ts';
import type {NodeEnvironment} from '../node/node-environment.ts';
import {NodeError} from '../node/node-error.ts';
import {readAllVolumeStates, type VolumeState} from '../node/volumes/volume-state.ts';

/**
`heal`: once and now what `watch` does, for one volume or all of them. A daemon that does not answer within ten
seconds is ended.
*/
export const healCommand = (environment: NodeEnvironment): CommandModule<object, {volume: string | undefined}> => ({
	command: 'heal [volume]',
	describe: 'Make dead or hanging volumes of pods work again',
	builder: yargs =>
		yargs
			.positional('volume', {
				type: 'string',
				describe: 'A bucket, or a directory where the volume is mounted; all volumes if left out',
			})
			.example('$0 heal', 'Heal every volume of this node that needs it')
			.example('$0 heal my-files', 'Only the volumes of one bucket'),
	async handler({volume}) {
		const states = readAllVolumeStates(environment.stateDirectory).filter(
			state => volume === undefined || isMeant(state, volume),
		);
		if (states.length === 0 && volume !== undefined) {
			throw new NodeError(
				`No volume of this node has the bucket or the directory ${volume}; "pnx-volume status" shows all volumes`,
			);
		}

		const failures: string[] = [];
		for (const state of states) {
			try {
				const healing =
					state.kind === 'directory'
						? {outcome: 'by hand' as const}
						: await healVolume(state.volumeId, environment, {hungDaemon: state.daemon});
				const {text, isFailure} = describeOutcome(state, healing);
				process.stdout.write(`${text}\n`);
				failures.push(...(isFailure ? [state.bucket] : []));
			} catch (error) {
				if (!(error instanceof NodeError)) {
					throw error;
				}

				process.stdout.write(`${state.bucket}: ${error.message}\n`);
				failures.push(state.bucket);
			}
		}

		if (failures.length > 0) {
			throw new NodeError(`Not healed: ${failures.join(', ')}`);
		}
	},
});

const isMeant = (state: VolumeState, volume: string): boolean =>
	state.bucket === volume || [state.mountPoint, ...state.pods.map(({path}) => path)].includes(resolve(volume));

const describeOutcome = (
	state: VolumeState,
	healing: HealOutcome | {outcome: 'by hand'},
): {text: string; isFailure: boolean} => {
	switch (healing.outcome) {
		case 'well': {
			return {text: `${state.bucket}: nothing to heal`, isFailure: false};
		}

		case 'by hand': {
			return {
				text: `${state.bucket}: mounted by hand at ${state.mountPoint}; if it does not work, unmount it and mount it again`,
				isFailure: false,
			};
		}

		case 'healed': {
			return {
				text: describeHealing(healing)
					.map(({message, pods}) => `${state.bucket}: ${message} (${pods.map(({path}) => path).join(', ')})`)
					.join('\n'),
				isFailure: false,
			};
		}

		case 'needs pod restart': {
			return {text: `${state.bucket}: ${describeMissingCredentials(healing).message}`, isFailure: true};
		}
	}
};
