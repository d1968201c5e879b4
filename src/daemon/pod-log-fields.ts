import {statSync} from 'node:fs';
import {toPodName} from '../node/call-log.ts';
import {readVolumeState} from '../node/volumes/volume-state.ts';

/** How long lines of the log may still name a pod that is gone. */
const freshMs = 1000;
/** More pods than these are only counted: with all of their names, each line would be very long. */
const podCountMax = 8;

/** For the lines of a daemon's log: the one pod that it serves, or all of them. */
export type PodFields =
	| {readonly pod: string}
	| {readonly pods: readonly string[]; readonly podCount?: number}
	| Record<string, never>;

/**
Tells for which pods a volume is mounted now, from the state that mounts and unmounts write down: nobody has to tell
the daemon, and one that has just been started knows it as well. Looks at most once a second, and reads only what
has changed.
*/
export class PodLogFields {
	readonly #stateFile: string;
	#fields: PodFields = {};
	#lookedAtMs = Number.NEGATIVE_INFINITY;
	#version = '';

	constructor(stateFile: string) {
		this.#stateFile = stateFile;
	}

	current(): PodFields {
		if (performance.now() - this.#lookedAtMs >= freshMs) {
			this.#lookedAtMs = performance.now();
			this.#look();
		}

		return {...this.#fields};
	}

	#look(): void {
		try {
			const {ino, mtimeMs} = statSync(this.#stateFile);
			if (this.#version !== `${ino} ${mtimeMs}`) {
				this.#version = `${ino} ${mtimeMs}`;
				this.#fields = toPodFields(
					(readVolumeState(this.#stateFile)?.pods ?? []).map(pod => toPodName(pod)).filter(name => name !== undefined),
				);
			}
		} catch {
			// No state: mounted by hand in the foreground, or just taken away.
		}
	}
}

const toPodFields = (names: readonly string[]): PodFields => {
	const [first] = names;
	if (first === undefined) {
		return {};
	}

	return names.length === 1
		? {pod: first}
		: {pods: names.slice(0, podCountMax), ...(names.length > podCountMax ? {podCount: names.length} : {})};
};
