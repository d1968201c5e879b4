import {readdirSync, readFileSync, readlinkSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {hasErrorCode, toReason} from '../model/error-text.ts';
import {readAllVolumeStates} from '../node/volumes/volume-state.ts';
import {reach, type NodeRoot} from './node-root.ts';

export type RuntimeUsers = {
	/** Pids by the name of the version that they run from, or have files of. */
	readonly processes: ReadonlyMap<string, readonly number[]>;
	/** Versions that a volume would start its daemon from again. */
	readonly volumes: ReadonlySet<string>;
	/** Why a user may have been missed; then nothing may be removed. */
	readonly doubt: string | undefined;
};

export type RuntimeUsersQuery = {
	readonly root: NodeRoot;
	/** Spellings of the runtime directory on the node, as they may stand in command lines. */
	readonly directories: readonly string[];
	readonly names: readonly string[];
	/** Of the node. */
	readonly stateDirectory: string;
};

/** Looks through every process of the node, and through the volumes' state files. */
export const findRuntimeUsers = (query: RuntimeUsersQuery): RuntimeUsers => {
	const {root, directories, names} = query;
	const processes = new Map<string, number[]>();
	const programs = readPrograms(query);
	let doubt: string | undefined;
	const proc = reach(root, '/proc');
	const pids = readdirSync(proc)
		.filter(entry => /^\d+$/.test(entry))
		.map(Number);
	for (const pid of pids) {
		const seen = lookAt(join(proc, String(pid)));
		doubt ??= seen.doubt === undefined ? undefined : `process ${pid} cannot be looked at: ${seen.doubt}`;
		for (const name of names) {
			const isUsed =
				programs.get(name)?.has(seen.program ?? '') === true ||
				directories.some(directory =>
					seen.texts.some(
						text =>
							[`${directory}/${name}/`, `${directory}/${name}\0`].some(path => text.includes(path)) ||
							text.endsWith(`${directory}/${name}`),
					),
				);
			if (isUsed) {
				processes.set(name, [...(processes.get(name) ?? []), pid]);
			}
		}
	}

	if (!pids.includes(1)) {
		doubt ??= 'the processes of the node cannot be seen from here (hostPID: true makes them visible)';
	}

	const volumes = new Set<string>();
	for (const home of readLaunchHomes(query)) {
		const name = names.find(candidate => directories.some(directory => home === `${directory}/${candidate}`));
		if (name !== undefined) {
			volumes.add(name);
		}
	}

	return {processes, volumes, doubt};
};

type Seen = {
	readonly texts: readonly string[];
	readonly program: string | undefined;
	readonly doubt: string | undefined;
};

/**
Every place where a process shows that it uses a file. The command line is there for everybody to read, and those of
our processes name their version; the rest, which is hidden where the process has more rights than we, finds what
has no such command line.
*/
const lookAt = (directory: string): Seen => {
	const texts: string[] = [];
	let program: string | undefined;
	let doubt: string | undefined;
	for (const read of [
		() => readFileSync(join(directory, 'cmdline'), 'utf8'),
		() => readlinkSync(join(directory, 'exe')),
		() => readlinkSync(join(directory, 'cwd')),
		() => readFileSync(join(directory, 'maps'), 'utf8'),
		() => {
			program = identify(join(directory, 'exe'));
			return '';
		},
	]) {
		try {
			texts.push(read());
		} catch (error) {
			// It has ended meanwhile (ESRCH, ENOENT), or is a thread of the kernel (ENOENT).
			doubt ??= hasErrorCode(error, 'ENOENT', 'ESRCH') ? undefined : toReason(error);
			texts.push('');
		}
	}

	const hasCommandLine = texts[0] !== undefined && texts[0] !== '';
	return {texts, program, doubt: hasCommandLine ? undefined : doubt};
};

/**
The programs of each version by inode: a path in /proc is another one for who was started below another root
directory.
*/
const readPrograms = ({root, directories: [directory = ''], names}: RuntimeUsersQuery): Map<string, Set<string>> => {
	const programs = new Map<string, Set<string>>();
	for (const name of names) {
		const library = reach(root, join(directory, name, 'lib'));
		try {
			programs.set(name, new Set(readdirSync(library).map(file => identify(join(library, file)))));
		} catch (error) {
			if (!hasErrorCode(error, 'ENOENT')) {
				throw error;
			} // A runtime without libraries of its own.
		}
	}

	return programs;
};

const identify = (path: string): string => {
	const {dev, ino} = statSync(path, {bigint: true});
	return `${dev}:${ino}`;
};

const readLaunchHomes = ({root, stateDirectory}: RuntimeUsersQuery): string[] =>
	readAllVolumeStates(reach(root, stateDirectory)).flatMap(state =>
		'launch' in state &&
		typeof state.launch === 'object' &&
		state.launch !== null &&
		'home' in state.launch &&
		typeof state.launch.home === 'string'
			? [state.launch.home]
			: [],
	);
