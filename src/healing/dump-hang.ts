import {readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {hasErrorCode, toReason} from '../model/error-text.ts';
import {mountsAt, readMountTable} from '../node/mounts/mount-table.ts';
import {NodeError} from '../node/node-error.ts';
import type {VolumeState} from '../node/volumes/volume-state.ts';

const dumpCountMax = 5;
const dumpCharactersMax = 256 * 1024;
const threadCountMax = 64;
const descriptorCountMax = 200;
const sampleMs = 500;

/**
Writes down what a hanging daemon is doing, before it is ended: the state and the system call of each thread, how
much processor time each takes, its descriptors and its mounts. Only what the kernel says, nothing of its memory or
environment, so no secret. Tells where; `undefined` where it could not be written.
*/
export const dumpHang = async (state: VolumeState, volumeDirectory: string): Promise<string | undefined> => {
	const pid = state.daemon?.pid;
	if (pid === undefined) {
		return undefined;
	}

	const before = threadTicks(pid);
	await delay(sampleMs);
	const sections = [
		`volume ${state.volumeId}, bucket ${state.bucket}, daemon pid ${pid}, ${new Date().toISOString()}`,
		section('status', read(`/proc/${pid}/status`)),
		...['wchan', 'stack', 'syscall', 'limits', 'io'].map(name => section(name, read(`/proc/${pid}/${name}`))),
		section('threads (processor ticks of 10 ms within 0.5 s)', describeThreads(pid, before)),
		section('descriptors', describeDescriptors(pid)),
		section(
			'mounts',
			[state.mountPoint, ...state.pods.map(({path}) => path)]
				.flatMap(path => mountsAt(readMountTable(), path))
				.map(mount => `${mount.device} ${mount.type} ${mount.source} ${mount.path} ${mount.options.join(',')}`)
				.join('\n'),
		),
	];
	const path = join(volumeDirectory, `hang-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.txt`);
	try {
		writeFileSync(path, sections.join('\n\n').slice(0, dumpCharactersMax), {mode: 0o600});
		removeOldDumps(volumeDirectory);
		return path;
	} catch (error) {
		if (error instanceof Error && 'code' in error) {
			return undefined; // A full disk must not keep a hanging daemon alive.
		}

		throw error;
	}
};

const section = (title: string, text: string): string => `== ${title}\n${text.trimEnd()}`;

const describeThreads = (pid: number, before: ReadonlyMap<string, number>): string => {
	const after = threadTicks(pid);
	return [...after]
		.slice(0, threadCountMax)
		.map(([thread, ticks]) => {
			const directory = `/proc/${pid}/task/${thread}`;
			const stat = read(`${directory}/stat`);
			return [
				thread,
				read(`${directory}/comm`).trim(),
				stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3),
				`ticks ${ticks - (before.get(thread) ?? 0)}`,
				`wchan ${read(`${directory}/wchan`)}`,
				`syscall ${read(`${directory}/syscall`).trim()}`,
			].join(' ');
		})
		.join('\n');
};

/** Processor time of each thread (utime and stime of proc_pid_stat(5)): one in a busy loop has all of it. */
const threadTicks = (pid: number): Map<string, number> =>
	new Map(
		list(`/proc/${pid}/task`).map(thread => {
			const stat = read(`/proc/${pid}/task/${thread}/stat`);
			const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
			return [thread, Number(fields[11] ?? 0) + Number(fields[12] ?? 0)];
		}),
	);

const describeDescriptors = (pid: number): string => {
	const descriptors = list(`/proc/${pid}/fd`);
	const targets = descriptors.slice(0, descriptorCountMax).map(fd => {
		try {
			return `${fd} ${readlinkSync(`/proc/${pid}/fd/${fd}`)}`;
		} catch {
			return `${fd} (closed meanwhile)`;
		}
	});
	return [`${descriptors.length} open`, ...targets].join('\n');
};

const removeOldDumps = (directory: string): void => {
	const dumps = readdirSync(directory)
		.filter(name => /^hang-.*\.txt$/.test(name))
		.sort();
	for (const name of dumps.slice(0, Math.max(0, dumps.length - dumpCountMax))) {
		rmSync(join(directory, name), {force: true});
	}
};

const list = (directory: string): string[] => {
	try {
		return readdirSync(directory);
	} catch (error) {
		if (hasErrorCode(error, 'ENOENT', 'ESRCH', 'EACCES')) {
			return [];
		}

		throw new NodeError(`Cannot list ${directory}: ${toReason(error)}`, {cause: error});
	}
};

const read = (path: string): string => {
	try {
		return readFileSync(path, 'utf8');
	} catch (error) {
		return `(${toReason(error)})`;
	}
};
