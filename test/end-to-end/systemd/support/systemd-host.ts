import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {readMountTable} from '../../../../src/node/mounts/mount-table.ts';

export type SystemdHost = {
	/**
	Runs a script of the host's shell with nothing in its environment but what is given; stdout and stderr together.
	*/
	readonly shell: (
		script: string,
		argv?: readonly string[],
		variables?: Readonly<Record<string, string>>,
	) => Promise<{output: string; exitCode: number | null}>;
	/** Ends every process of the host, and takes it away. */
	readonly close: () => Promise<void>;
};

const systemdPath = '/lib/systemd/systemd';
const bootMs = 300_000;
const checkout = join(import.meta.dirname, '..', '..', '..', '..');

/**
Becomes the first process of a host in namespaces of its own. $1 is a directory for its root: this machine's files
below a layer in memory, so that nothing that it does to files reaches this machine, whose kernel settings it sees
but cannot write. $3 is this checkout, which may lie in a file system of its own or below /tmp. Of systemd's own
services only the journal runs. The network is this machine's.
*/
const bootScript = `set -e
mount -t tmpfs -o mode=755 tmpfs "$1"
cd "$1"
mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
cd root
rm -rf lib/systemd/system/*.wants lib/systemd/system-generators etc/systemd/system etc/fstab var/log/journal
mkdir -p etc/systemd/system
printf '[Unit]\\nDefaultDependencies=no\\nWants=systemd-journald.service\\n' >etc/systemd/system/pnx-test.target
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty fuse; do : >"dev/$device"; mount --bind "/dev/$device" "dev/$device"; done
ln -s /proc/self/fd dev/fd
mkdir dev/shm
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mkdir -p ".$3"
mount --bind "$3" ".$3"
mount -o remount,bind,ro ".$3"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t fusectl fusectl sys/fs/fuse/connections 2>/dev/null || :
if [ "$2" = unified ]; then
	mount -t cgroup2 cgroup2 sys/fs/cgroup
else
	mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
	mkdir sys/fs/cgroup/systemd sys/fs/cgroup/unified
	mount -t cgroup -o none,name=systemd,xattr cgroup sys/fs/cgroup/systemd
	mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
	for controller in memory pids; do mkdir "sys/fs/cgroup/$controller"; mount -t cgroup -o "$controller" cgroup "sys/fs/cgroup/$controller"; done
fi
mkdir old
pivot_root . old
umount -l old
exec env -i container=pnx-test PATH=/usr/sbin:/usr/bin:/sbin:/bin ${systemdPath} --system --unit=pnx-test.target --show-status=no --log-target=null
`;

/**
Boots Debian's systemd as the first process of a host. A string says why that cannot be done on this machine,
otherwise.
*/
export const startSystemdHost = async (): Promise<SystemdHost | string> => {
	if (process.geteuid?.() !== 0 || !existsSync(systemdPath)) {
		return process.geteuid?.() === 0 ? `${systemdPath} is not installed` : 'only root can boot a systemd';
	}

	const directory = mkdtempSync(join(tmpdir(), 'pnx-systemd-'));
	const hierarchies = readMountTable()
		.filter(
			({type, superOptions}) =>
				type === 'cgroup2' ||
				(type === 'cgroup' && ['name=systemd', 'memory', 'pids'].some(name => superOptions.includes(name))),
		)
		.map(({path}) => path);
	const cgroups = hierarchies.map(path => join(path, `pnx-systemd-${process.pid}`));
	try {
		for (const cgroup of cgroups) {
			mkdirSync(cgroup, {recursive: true});
		}
	} catch (error) {
		return `this machine lets nobody make cgroups: ${String(error)}`;
	}

	const enter =
		'directory=$1 kind=$2 checkout=$3 script=$4; shift 4; for cgroup; do echo $$ >"$cgroup/cgroup.procs"; done; exec unshare --mount --propagation private --pid --fork --kill-child --cgroup --uts --ipc /bin/sh -c "$script" sh "$directory" "$kind" "$checkout"';
	const kind = hierarchies.length === 1 ? 'unified' : 'hybrid';
	const starter = spawn('/bin/sh', ['-c', enter, 'sh', directory, kind, checkout, bootScript, ...cgroups], {
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	let said = '';
	for (const stream of [starter.stdout, starter.stderr]) {
		stream.setEncoding('utf8').on('data', (text: string) => {
			said += text;
		});
	}

	const close = async (): Promise<void> => {
		await end(starter);
		for (const cgroup of cgroups) {
			await removeCgroups(cgroup);
		}

		rmSync(directory, {recursive: true, force: true});
	};

	const shell: SystemdHost['shell'] = async (script, argv = [], variables = {}) => {
		const assignments = Object.entries({PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...variables}).map(
			([variable, value]) => `${variable}=${value}`,
		);
		const child = spawn(
			'nsenter',
			[
				'--target',
				firstProcessOf(starter),
				'--mount',
				'--pid',
				'--uts',
				'--ipc',
				'--cgroup',
				'--root',
				'--wd',
				'/usr/bin/env',
				'-i',
				...assignments,
				'/bin/sh',
				'-c',
				`exec 2>&1; ${script}`,
				'sh',
				...argv,
			],
			{stdio: ['ignore', 'pipe', 'inherit']},
		);
		let output = '';
		child.stdout.setEncoding('utf8').on('data', (text: string) => {
			output += text;
		});
		const [exitCode] = (await once(child, 'close')) as [number | null];
		return {output, exitCode};
	};

	const deadlineMs = performance.now() + bootMs;
	while (starter.exitCode === null && performance.now() < deadlineMs) {
		if (
			firstProcessOf(starter) !== '' &&
			/^(?:running|degraded)\n/.test((await shell('systemctl is-system-running')).output)
		) {
			return {shell, close};
		}

		await delay(50);
	}

	const state = starter.exitCode === null ? (await shell('systemctl list-jobs; systemctl --failed')).output : '';
	await close();
	return `systemd did not come up: ${said.trim()} ${state.trim()}`;
};

/** The only child of `unshare`; empty when there is none yet. */
const firstProcessOf = ({pid}: ChildProcess): string => {
	try {
		return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
	} catch {
		return '';
	}
};

const end = async (child: ChildProcess): Promise<void> => {
	if (child.exitCode === null && child.signalCode === null) {
		const exited = once(child, 'exit');
		child.kill('SIGKILL');
		await exited;
	}
};

/** From the leaves to the root; who was in them may still be on the way out. */
const removeCgroups = async (cgroup: string): Promise<void> => {
	for (let attempt = 0; existsSync(cgroup) && attempt < 100; attempt++) {
		try {
			for (const entry of readdirSync(cgroup, {withFileTypes: true, recursive: true})
				.filter(child => child.isDirectory())
				.reverse()) {
				rmdirSync(join(entry.parentPath, entry.name));
			}

			rmdirSync(cgroup);
		} catch {
			await delay(50);
		}
	}
};
