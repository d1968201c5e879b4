import {spawn, spawnSync, execFile, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {
	chmodSync,
	copyFileSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {permissivePolicy, type DriverReply} from '../../../support/driver.ts';

const run = promisify(execFile);

export type BareHost = {
	/** As this process sees it; mounts of the host are not seen from here. */
	readonly root: string;
	/**
	Runs a script of the host's shell with nothing in its environment but what is given; stdout and stderr together.
	*/
	readonly shell: (
		script: string,
		argv?: readonly string[],
		variables?: Readonly<Record<string, string>>,
	) => Promise<{output: string; exitCode: number | null}>;
	/** Runs the driver as the kubelet does. */
	readonly driver: (...argv: readonly string[]) => Promise<{output: string; reply: DriverReply}>;
	/** Ends every process of the host, and takes it away. */
	readonly close: () => Promise<void>;
};

const bareHostDriverPath = '/plugins/pnx~volume/volume';

/**
A statically linked busybox: this machine's, or Debian's, unpacked into `directory` without being installed. A
string that says why there is none, otherwise.
*/
export const findBusybox = async (directory: string): Promise<{path: string} | string> => {
	const isStatic = (path: string): boolean => existsSync(path) && !readFileSync(path).includes('/ld-linux');
	const installed = ['/bin/busybox', '/usr/bin/busybox'].find(path => isStatic(path));
	if (installed !== undefined) {
		return {path: installed};
	}

	mkdirSync(directory, {recursive: true});
	const script =
		'apt-get download -q busybox-static || { apt-get update -q && apt-get download -q busybox-static; } && dpkg-deb -x busybox-static_*.deb .';
	const unpacked = spawnSync('/bin/sh', ['-c', script], {cwd: directory, encoding: 'utf8'});
	const path = ['bin/busybox', 'usr/bin/busybox'].map(name => join(directory, name)).find(name => isStatic(name));
	return path === undefined
		? `Debian's busybox-static cannot be had: ${unpacked.stderr.trim().split('\n').at(-1)}`
		: {path};
};

/**
A host that has a kernel with FUSE, busybox, and the runtime as an installer puts it; no C library, no Node.js, no
fuse package, no /etc at all, and read-only but for /var, /mnt and the kubelet's directory. A root directory with
namespaces of its own for mounts and processes: when its first process ends, which it does when this process does,
nothing is left of it. The network is this machine's.
*/
export const startBareHost = async ({
	busyboxPath,
	archivePath,
	name,
}: {
	busyboxPath: string;
	archivePath: string;
	name: string;
}): Promise<BareHost> => {
	const root = mkdtempSync(join(tmpdir(), 'pnx-bare-host-'));
	for (const directory of [
		'bin',
		'dev',
		'proc',
		'sys',
		'mnt',
		'opt/pnx-volume',
		'plugins/pnx~volume',
		'var/lib/kubelet',
		'var/log',
	]) {
		mkdirSync(join(root, directory), {recursive: true});
	}

	mkdirSync(join(root, 'var/lib/pnx-volume'), {mode: 0o700});
	writeFileSync(join(root, 'var/lib/pnx-volume/policy.json'), JSON.stringify(permissivePolicy), {mode: 0o600});
	copyFileSync(busyboxPath, join(root, 'bin', 'busybox'));
	chmodSync(join(root, 'bin', 'busybox'), 0o755);
	for (const device of ['fuse', 'null']) {
		writeFileSync(join(root, 'dev', device), '');
	}

	await run('tar', ['-xzf', archivePath, '-C', join(root, 'opt', 'pnx-volume')]);
	symlinkSync(name, join(root, 'opt', 'pnx-volume', 'current'));
	copyFileSync(join(root, 'opt', 'pnx-volume', name, 'driver', 'volume'), join(root, bareHostDriverPath));
	const setUp = `set -e
cd "$1"
mount --bind . .
cd "$1"
for device in fuse null; do mount --bind "/dev/$device" "dev/$device"; done
mount -t proc proc proc
mount --rbind /sys sys
chroot . /bin/busybox --install -s /bin
for directory in mnt var; do mount --bind "$directory" "$directory"; done
mount -o remount,bind,ro .
echo ready
# Waits for the end of its input, and for whatever process has nobody else to wait for it.
exec chroot . /bin/sh -c 'cat <&3 & wait' 3<&0`;
	const starter = spawn(
		'unshare',
		['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '/bin/sh', '-c', setUp, 'sh', root],
		{stdio: ['pipe', 'pipe', 'inherit']},
	);
	const close = async (): Promise<void> => {
		await end(starter);
		// What was mounted when it ended has left immutable directories.
		spawnSync('chattr', ['-R', '-f', '-i', join(root, 'var')], {stdio: 'ignore'});
		rmSync(root, {recursive: true, force: true});
	};

	const first = await Promise.race([once(starter.stdout, 'data'), once(starter, 'exit')]);
	if (!String(first[0]).startsWith('ready')) {
		await close();
		throw new Error('The bare host could not be set up; what went wrong is above');
	}

	// The first process of the host: the only child of `unshare`.
	const pid = readFileSync(`/proc/${starter.pid}/task/${starter.pid}/children`, 'utf8').trim();
	const shell: BareHost['shell'] = async (script, argv = [], variables = {}) => {
		const assignments = Object.entries(variables).map(([variable, value]) => `${variable}=${value}`);
		const child = spawn(
			'nsenter',
			[
				'--target',
				pid,
				'--mount',
				'--pid',
				'--root',
				'--wd',
				'/bin/env',
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

	return {
		root,
		shell,
		async driver(...argv) {
			const {output} = await shell(`exec '${bareHostDriverPath}' "$@"`, argv, {PNX_VOLUME_IDLE_MS: '0'});
			return {output, reply: JSON.parse(output) as DriverReply};
		},
		close,
	};
};

const end = async (child: ChildProcess): Promise<void> => {
	if (child.exitCode === null && child.signalCode === null) {
		const exited = once(child, 'exit');
		child.stdin?.end();
		await exited;
	}
};
