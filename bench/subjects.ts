import fs from 'node:fs/promises';
import path from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {type Subprocess, execa} from 'execa';
import type {Endpoint} from './server.ts';

/** A file system under test, mounted by a process of its own. */
export type Mounted = {
	readonly directory: string;
	/** The largest resident set of its process so far, in MiB. */
	residentMebibytesPeak(): Promise<number>;
	/** CPU seconds of its process so far. */
	cpuSeconds(): Promise<number>;
	unmount(): Promise<void>;
};

export type Kind = 'pnx-volume' | 'pnx-volume uniform' | 's3fs' | 'rclone';

type Child = Subprocess<{stdio: 'ignore'}> & Promise<unknown>;

/** Mounts a bucket with an empty cache. */
export const mountSubject = async (
	kind: Kind,
	server: Endpoint,
	bucket: string,
	temporary: string,
): Promise<Mounted> => {
	const work = await fs.mkdtemp(path.join(temporary, 'work-'));
	const directory = path.join(temporary, `mnt-${bucket}`);
	await fs.mkdir(directory, {recursive: true});
	const child = start(kind, server, bucket, directory, work);
	child.catch(() => undefined); // Its end is awaited in unmount().
	const {pid} = child;
	if (pid === undefined) {
		throw new Error(`${kind} could not be started`);
	}

	await untilMounted(directory, child, kind);
	return {
		directory,
		residentMebibytesPeak: async () =>
			Number(/VmHWM:\s+(\d+)/.exec(await fs.readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024,
		async cpuSeconds() {
			const fields = (await fs.readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ');
			return (Number(fields[11]) + Number(fields[12])) / 100;
		},
		async unmount() {
			if (kind.startsWith('pnx-volume')) {
				child.kill('SIGTERM');
			} else {
				await execa('umount', [directory]);
			}

			await child.catch(() => undefined);
			await fs.rm(work, {recursive: true, force: true});
		},
	};
};

const start = (kind: Kind, server: Endpoint, bucket: string, directory: string, work: string): Child => {
	// Nothing of the shell's: AWS variables of its own would change what is measured.
	const environment = {
		PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
		HOME: work,
		AWS_ACCESS_KEY_ID: server.accessKeyId,
		AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
		PNX_VOLUME_STATE_DIR: path.join(work, 'state'),
		PNX_VOLUME_LOG: path.join(work, 'log'),
		XDG_CACHE_HOME: path.join(work, 'cache'),
	};
	switch (kind) {
		case 'pnx-volume':
		case 'pnx-volume uniform': {
			const program = path.resolve(import.meta.dirname, '../dist/bin/pnx-volume.js');
			const attributes = kind === 'pnx-volume' ? 'posix' : 'uniform';
			return execa(
				process.execPath,
				[program, 'mount', bucket, directory, '--endpoint', server.url, '--path-style', '--attributes', attributes],
				{stdio: 'ignore', env: environment, extendEnv: false},
			);
		}

		case 's3fs': {
			return execa(
				's3fs',
				[
					bucket,
					directory,
					'-f',
					'-o',
					`url=${server.url},use_path_request_style,mp_umask=022,ensure_diskfree=1024,use_cache=${work}/cache`,
				],
				{
					stdio: 'ignore',
					extendEnv: false,
					env: {PATH: environment.PATH, AWSACCESSKEYID: server.accessKeyId, AWSSECRETACCESSKEY: server.secretAccessKey},
				},
			);
		}

		case 'rclone': {
			const remote = `:s3,provider=Other,env_auth=true,endpoint='${server.url}',force_path_style=true:${bucket}`;
			return execa(
				'rclone',
				[
					'mount',
					remote,
					directory,
					'--vfs-cache-mode',
					'writes',
					'--vfs-write-back',
					'0s',
					'--cache-dir',
					path.join(work, 'cache'),
				],
				{stdio: 'ignore', env: environment, extendEnv: false},
			);
		}
	}
};

const untilMounted = async (directory: string, child: Child, kind: Kind): Promise<void> => {
	let hasEnded = false;
	void child
		.catch(() => undefined)
		.finally(() => {
			hasEnded = true;
		});
	for (let attempt = 0; attempt < 300; attempt++) {
		const table = await fs.readFile('/proc/self/mountinfo', 'utf8');
		if (table.includes(` ${directory} `)) {
			return;
		}

		if (hasEnded) {
			break;
		}

		await delay(50);
	}

	child.kill('SIGKILL');
	throw new Error(`${kind} did not mount on ${directory} within 15 s`);
};
