import {spawn, type ChildProcess} from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {execa} from 'execa';
import {createDeadline} from '../../src/node/deadline.ts';
import {abortConnection} from '../../src/node/mounts/abort-connection.ts';
import {mountsAt, readMountTable} from '../../src/node/mounts/mount-table.ts';
import type {Place, Subject} from './subject.ts';

export type Usage = {readonly cpuSeconds: number; readonly residentMebibytesPeak: number};

/** Longer than any subject needs; what still hangs is ended by force. */
const mountMs = 30_000;
const endMs = 60_000;

/** A subject that is mounted, by a process of its own. */
export class MountedProcess {
	readonly place: Place;
	readonly #subject: Subject;
	readonly #child: ChildProcess;
	readonly #ended: Promise<void>;
	readonly #pid: number;
	#hasEnded = false;

	private constructor(subject: Subject, place: Place, child: ChildProcess) {
		if (child.pid === undefined) {
			throw new Error(`${subject.name} could not be started: is it installed?`);
		}

		this.place = place;
		this.#subject = subject;
		this.#child = child;
		this.#pid = child.pid;
		this.#ended = new Promise(resolve => {
			child.once('exit', () => {
				this.#hasEnded = true;
				resolve();
			});
		});
	}

	/** Resolves when the directory is mounted; when that fails, nothing is left. */
	static async start(subject: Subject, place: Place): Promise<MountedProcess> {
		await fs.mkdir(place.directory, {recursive: true});
		await fs.mkdir(place.work, {recursive: true});
		const {file, args, env} = subject.command(place);
		await using output = await fs.open(path.join(place.work, 'output'), 'a');
		const child = spawn(file, args, {
			stdio: ['ignore', output.fd, output.fd],
			env: {PATH: process.env['PATH'], ...env},
			cwd: '/',
			detached: true, // Ctrl-C is not for it: `stop` ends it.
		});
		child.on('error', () => undefined); // It has no pid then, which is told.
		const mounted = new MountedProcess(subject, place, child);
		try {
			await mounted.#untilMounted();
			await output.truncate(); // What it says from now on may explain a failure.
		} catch (error) {
			await mounted.stop();
			throw error;
		}

		return mounted;
	}

	/** CPU so far, and the peak since `resetPeak`. */
	async usage(): Promise<Usage> {
		const [stat, status] = await Promise.all([
			fs.readFile(`/proc/${this.#pid}/stat`, 'utf8'),
			fs.readFile(`/proc/${this.#pid}/status`, 'utf8'),
		]);
		return parseUsage(stat, status);
	}

	async resetPeak(): Promise<void> {
		await fs.writeFile(`/proc/${this.#pid}/clear_refs`, '5'); // As proc_pid_clear_refs(5) has it.
	}

	/** What it printed last, for the message of a failure. */
	async lastOutput(): Promise<string> {
		const text = await fs.readFile(path.join(this.place.work, 'output'), 'utf8').catch(() => '');
		return text.trim().split('\n').slice(-3).join(' | ').slice(-400);
	}

	/** Takes the mount away, and its process, whatever hangs. Never rejects. */
	async stop(): Promise<void> {
		const {directory} = this.place;
		if (!this.#hasEnded) {
			if (this.#subject.endsOnSigterm) {
				this.#child.kill('SIGTERM');
			} else if (isMounted(directory)) {
				await execa('umount', [directory], {timeout: endMs, reject: false});
			}
		}

		for (let waitedMs = 0; waitedMs < endMs && isMounted(directory) && !this.#hasEnded; waitedMs += 10) {
			await delay(10);
		}

		for (const mount of mountsAt(readMountTable(), directory)) {
			await abortConnection(mount, createDeadline(10_000)).catch(() => undefined); // The next steps do without.
			await execa('umount', ['-l', directory], {timeout: 10_000, reject: false});
		}

		// One whose mount is gone ends by itself, after a moment.
		for (let waitedMs = 0; waitedMs < 10_000 && !this.#hasEnded; waitedMs += 10) {
			await delay(10);
		}

		this.#child.kill('SIGKILL');
		await this.#ended;
		await fs.rmdir(directory).catch(() => undefined); // Never recursive: it may still lead into the bucket.
	}

	async #untilMounted(): Promise<void> {
		const endsAtMs = performance.now() + mountMs;
		while (!isMounted(this.place.directory)) {
			if (this.#hasEnded || performance.now() > endsAtMs) {
				const why = this.#hasEnded ? 'ended' : `did not mount within ${mountMs / 1000} s`;
				throw new Error(`${this.#subject.name} ${why}: ${await this.lastOutput()}`);
			}

			await delay(5);
		}
	}
}

const isMounted = (directory: string): boolean => mountsAt(readMountTable(), directory).length > 0;

const ticksPerSecond = 100; // sysconf(_SC_CLK_TCK) of every architecture that Node.js runs on.

/** Of `/proc/PID/stat` and `/proc/PID/status`, as proc(5) has them. */
export const parseUsage = (stat: string, status: string): Usage => {
	const fields = stat.replace(/^.*\) /s, '').split(' ');
	return {
		cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
		residentMebibytesPeak: Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024,
	};
};
