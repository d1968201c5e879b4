import {existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync} from 'node:fs';
import {stat} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {mountsAt, readMountTable} from '../../../../src/node/mounts/mount-table.ts';
import {callDriver, type RunningCall} from './kubelet-driver-call.ts';

/** One volume of one pod. */
export type PodVolume = {
	readonly podUid: string;
	/** Of an inline volume; for a claim the persistent volume's. */
	readonly volumeName: string;
	/** What the driver gets as its last argument. */
	readonly optionsJson: string;
};

type KubeletSettings = {
	/** `/var/lib/kubelet` of a real one. */
	readonly rootDirectory: string;
	readonly driverPath: string;
	/** The kubelet's environment, which the driver inherits. */
	readonly variables: Readonly<Record<string, string>>;
	readonly cgroup?: string | undefined;
	/** Real waits between attempts are 0.5 s to 122 s; this is what they are multiplied by. */
	readonly backOffFactor?: number;
};

export type KubeletStandIn = {
	/** The pod was scheduled to this node. */
	readonly add: (volume: PodVolume) => void;
	/** The pod was deleted, and its containers have ended. */
	readonly remove: (volume: PodVolume) => void;
	readonly directoryOf: (volume: Pick<PodVolume, 'podUid' | 'volumeName'>) => string;
	readonly isMounted: (volume: PodVolume) => boolean;
	/** Rejects, with what it waits for, when the pod cannot start in time. */
	readonly whenMounted: (volume: PodVolume, timeoutMs: number) => Promise<void>;
	/** Every pod is mounted that should be, and no other is terminating. */
	readonly whenSettled: (timeoutMs: number) => Promise<void>;
	/**
	Forgets everything and looks at the disk. `endsCalls`: systemd ends the whole service, the drivers that run
	included.
	*/
	readonly restart: (options: {endsCalls: boolean}) => void;
	readonly runningCalls: () => readonly RunningCall[];
	/** What `kubectl describe pod` shows, and what the log has of unmounts, oldest first. */
	readonly events: readonly string[];
	readonly callCounts: Readonly<Record<'init' | 'mount' | 'unmount', number>>;
	/** No more calls; resolves when the last one has ended. */
	readonly stop: () => Promise<void>;
};

type Slot = {
	readonly podUid: string;
	readonly volumeName: string;
	/** Undefined: the pod is gone. */
	wanted: PodVolume | undefined;
	/** What the kubelet believes. */
	isMounted: boolean;
	lastError: string | undefined;
	isBusy: boolean;
};

const backOffMsMin = 500;
const backOffMsMax = 122_000;
const pollMs = 20;
const escapedDriver = 'pnx~volume';

/**
Does what real kubelets were seen to do with a FlexVolume, and nothing else: makes a pod's directory, passes over
what is a mount point already, calls the driver (one call at a time for a volume of a pod, all others in parallel),
removes the directory after a failure, waits longer after each, calls `unmount` only for what it believes to be
mounted, and `rmdir`s afterwards.
*/
export const startKubelet = ({
	rootDirectory,
	driverPath,
	variables,
	cgroup,
	backOffFactor = 1,
}: KubeletSettings): KubeletStandIn => {
	let slots = new Map<string, Slot>();
	/** A restart makes everything of the old life moot. */
	let life = new AbortController();
	const calls = new Set<RunningCall>();
	const working = new Set<Promise<void>>();
	const events: string[] = [];
	const callCounts = {init: 0, mount: 0, unmount: 0};
	let probed: {of: string; done: Promise<void>} | undefined;

	const directoryOf: KubeletStandIn['directoryOf'] = ({podUid, volumeName}) =>
		join(rootDirectory, 'pods', podUid, 'volumes', escapedDriver, volumeName);

	const call = async (command: 'init' | 'mount' | 'unmount', ...rest: readonly string[]): Promise<void> => {
		callCounts[command]++;
		const {signal} = life;
		let running: RunningCall | undefined;
		try {
			await callDriver({
				driverPath,
				argv: [command, ...rest],
				variables,
				cgroup,
				onStarted(started) {
					running = started;
					calls.add(started);
				},
			});
		} finally {
			if (running !== undefined) {
				calls.delete(running);
			}

			// A kubelet that has ended does nothing after its call; what the call did, its successor finds.
			signal.throwIfAborted();
		}
	};

	/** `init` before the first use of a driver file, and of each that replaces it; everybody waits for it. */
	const probe = async (): Promise<void> => {
		const found = statSync(driverPath, {throwIfNoEntry: false});
		if (found === undefined) {
			throw new Error('no volume plugin matched');
		}

		const of = `${found.ino} ${found.mtimeMs} ${found.size}`;
		if (probed?.of !== of) {
			const mine = {of, done: call('init')};
			probed = mine;
			mine.done.catch(() => {
				probed = probed === mine ? undefined : probed;
			});
		}

		await probed.done;
	};

	const setUp = async (slot: Slot, volume: PodVolume, signal: AbortSignal): Promise<void> => {
		const directory = directoryOf(slot);
		if (isMountPoint(directory)) {
			return;
		}

		mkdirSync(directory, {recursive: true, mode: 0o750});
		try {
			await call('mount', directory, volume.optionsJson);
		} catch (error) {
			if (!signal.aborted) {
				removeQuietly(directory);
			}

			throw error;
		}
	};

	const tearDown = async (slot: Slot): Promise<void> => {
		const directory = directoryOf(slot);
		if (await pathExists(directory, {isDeadFine: true})) {
			await call('unmount', directory);
			if (await pathExists(directory, {isDeadFine: false})) {
				rmdirSync(directory);
			}
		}

		for (const level of ['..', '../..', '../../..']) {
			removeQuietly(join(directory, level));
		}
	};

	/** One at a time for each slot, until what is believed is what is wanted. */
	const reconcile = async (slot: Slot, signal: AbortSignal): Promise<void> => {
		let backOffMs = backOffMsMin;
		while (!signal.aborted && (slot.wanted !== undefined) !== slot.isMounted) {
			const {wanted} = slot;
			try {
				await probe();
				await (wanted === undefined ? tearDown(slot) : setUp(slot, wanted, signal));
				slot.isMounted = wanted !== undefined;
				slot.lastError = undefined;
				backOffMs = backOffMsMin;
			} catch (error) {
				if (signal.aborted) {
					return;
				}

				slot.lastError = error instanceof Error ? error.message : String(error);
				events.push(
					`${wanted === undefined ? 'UnmountVolume.TearDown' : 'MountVolume.SetUp'} failed for volume "${slot.volumeName}" of pod ${slot.podUid}: ${slot.lastError}`,
				);
				await delay(backOffMs * backOffFactor, undefined, {signal}).catch(() => undefined); // A restart ends the wait.
				backOffMs = Math.min(backOffMs * 2, backOffMsMax);
			}
		}
	};

	const wake = (slot: Slot): void => {
		const {signal} = life;
		if (slot.isBusy || signal.aborted) {
			return;
		}

		slot.isBusy = true;
		const done = reconcile(slot, signal).finally(() => {
			slot.isBusy = false;
			working.delete(done);
			const key = directoryOf(slot);
			if (!signal.aborted && slot.wanted === undefined && !slot.isMounted && slots.get(key) === slot) {
				slots.delete(key);
			}
		});
		working.add(done);
	};

	const slotOf = ({podUid, volumeName}: Pick<PodVolume, 'podUid' | 'volumeName'>, isMounted: boolean): Slot => {
		const key = directoryOf({podUid, volumeName});
		const slot = slots.get(key) ?? {
			podUid,
			volumeName,
			wanted: undefined,
			isMounted,
			lastError: undefined,
			isBusy: false,
		};
		slots.set(key, slot);
		return slot;
	};

	const restart: KubeletStandIn['restart'] = ({endsCalls}) => {
		life.abort();
		life = new AbortController();
		probed = undefined;
		if (endsCalls) {
			calls.forEach(running => running.kill('group'));
			endCgroup(cgroup);
		}

		const wanted = [...slots.values()].map(slot => slot.wanted).filter(volume => volume !== undefined);
		slots = new Map();
		// The directories say what may be mounted; what is wanted and mounted is passed over when it is set up again.
		for (const found of readPodVolumes(rootDirectory)) {
			slotOf(found, true);
		}

		for (const volume of wanted) {
			Object.assign(slotOf(volume, false), {wanted: volume, isMounted: false});
		}

		slots.forEach(slot => wake(slot));
	};

	const describe = (): string =>
		[...slots.values()]
			.filter(slot => (slot.wanted !== undefined) !== slot.isMounted)
			.map(
				slot =>
					`${slot.podUid}/${slot.volumeName} ${slot.wanted === undefined ? 'is Terminating' : 'is not mounted'}: ${slot.lastError ?? 'no error yet'}`,
			)
			.join('\n');

	const until = async (isDone: () => boolean, timeoutMs: number): Promise<void> => {
		const endMs = performance.now() + timeoutMs;
		while (!isDone()) {
			if (performance.now() > endMs) {
				throw new Error(`After ${timeoutMs / 1000} s:\n${describe()}`);
			}

			await delay(pollMs);
		}
	};

	restart({endsCalls: false});
	return {
		events,
		callCounts,
		directoryOf,
		restart,
		add(volume) {
			const slot = slotOf(volume, false);
			slot.wanted = volume;
			wake(slot);
		},
		remove(volume) {
			const slot = slots.get(directoryOf(volume));
			if (slot !== undefined) {
				slot.wanted = undefined;
				wake(slot);
				if (!slot.isBusy && !slot.isMounted) {
					slots.delete(directoryOf(volume)); // Never mounted: no call.
				}
			}
		},
		isMounted: volume => slots.get(directoryOf(volume))?.isMounted === true,
		whenMounted: async (volume, timeoutMs) =>
			until(() => slots.get(directoryOf(volume))?.isMounted === true, timeoutMs),
		whenSettled: async timeoutMs =>
			until(
				() => [...slots.values()].every(slot => !slot.isBusy && (slot.wanted !== undefined) === slot.isMounted),
				timeoutMs,
			),
		runningCalls: () => [...calls],
		async stop() {
			life.abort();
			while (working.size > 0) {
				await Promise.all(working);
			}
		},
	};
};

/** As `statx` without a word to the file system answers, dead ones included. */
const isMountPoint = (directory: string): boolean => mountsAt(readMountTable(), directory).length > 0;

const deadMountCodes = new Set(['ENOTCONN', 'ESTALE', 'EIO', 'EACCES', 'EHOSTDOWN', 'EAGAIN', 'ENODEV']);

const pathExists = async (path: string, {isDeadFine}: {isDeadFine: boolean}): Promise<boolean> => {
	try {
		await stat(path);
		return true;
	} catch (error) {
		const code = (error as NodeJS.ErrnoException).code ?? '';
		if (code === 'ENOENT') {
			return false;
		}

		if (isDeadFine && deadMountCodes.has(code)) {
			return true;
		}

		throw error;
	}
};

/** As systemd ends a service: whatever is in its cgroup, session or no session. */
const endCgroup = (cgroup: string | undefined): void => {
	for (const pid of cgroup === undefined
		? []
		: readFileSync(join(cgroup, 'cgroup.procs'), 'utf8')
				.split('\n')
				.filter(line => line !== '')) {
		try {
			process.kill(Number(pid), 'SIGKILL');
		} catch {
			// It has ended.
		}
	}
};

const removeQuietly = (directory: string): void => {
	try {
		rmdirSync(directory);
	} catch {
		// Still in use, or still a mount point: the kubelet does not mind either.
	}
};

const readPodVolumes = (rootDirectory: string): Array<Pick<PodVolume, 'podUid' | 'volumeName'>> => {
	const list = (path: string): string[] => (existsSync(path) ? readdirSync(path) : []);
	return list(join(rootDirectory, 'pods')).flatMap(podUid =>
		list(join(rootDirectory, 'pods', podUid, 'volumes', escapedDriver)).map(volumeName => ({podUid, volumeName})),
	);
};
