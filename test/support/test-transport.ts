import type {VolumeOptions} from '../../src/model/volume-options.ts';

/** Set by `runOn`, or by hand for a run of any suite: `PNX_VOLUME_TRANSPORT=kernel npx ava test/...`. */
const variable = 'PNX_VOLUME_TRANSPORT';

/** The transport that mounts of tests have unless a test says otherwise. */
export const testTransport = (): VolumeOptions['transport'] =>
	process.env[variable] === 'kernel' ? 'kernel' : 'native';

/** Runs what this process mounts from now on over a transport: also in the processes that it starts. */
export const runOn = (transport: VolumeOptions['transport']): void => {
	process.env[variable] = transport;
};
