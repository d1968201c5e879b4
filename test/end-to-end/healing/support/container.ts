import {spawn, type ChildProcess} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {createInterface} from 'node:readline';
import type {ExecutionContext} from 'ava';

export type Container = {
	/**
	Runs a line of shell in the container's one process, which lives as long as the container; what it said, stderr
	included.
	*/
	readonly run: (line: string) => Promise<string>;
	readonly stop: () => Promise<void>;
};

/**
As a container runtime makes them: a mount namespace whose root is a file system of its own, the pod's directory at
/data with all that is mounted below it, and /etc/hosts from the pod's directory, as the kubelet gives it.
Everything of the host is out of sight.
*/
const setUp = `set -e
root=$1 source=$2 propagation=$3 mode=$4 hosts=$5
mount --make-rslave /
mount -t tmpfs tmpfs "$root"
cd "$root"
mkdir usr etc data old proc
mount -t proc proc proc
mount --bind /usr usr
for link in bin lib lib64 sbin; do if [ -L "/$link" ]; then ln -s "usr/$link" "$link"; elif [ -d "/$link" ]; then mkdir "$link"; mount --bind "/$link" "$link"; fi; done
mount --rbind "$source" data
mount "--make-r$propagation" data
if [ "$mode" = ro ]; then mount -o remount,bind,ro data; fi
touch etc/hosts
mount --bind "$hosts" etc/hosts
pivot_root . old
exec chroot . /bin/sh -c 'umount -l /old; echo ready; while IFS= read -r line; do eval "$line" 2>&1 || true; echo "<end>"; done'`;

/**
Starts a container with the volume of a pod's directory; `propagation: 'slave'` is `HostToContainer`, `private` the
default. It ends with the test.
*/
export const startContainer = async (
	t: ExecutionContext,
	{
		podDirectory,
		propagation,
		isReadOnly = false,
	}: {podDirectory: string; propagation: 'slave' | 'private'; isReadOnly?: boolean},
): Promise<Container> => {
	const root = mkdtempSync(join(tmpdir(), 'pnx-container-'));
	const hosts = join(dirname(dirname(dirname(podDirectory))), 'etc-hosts');
	mkdirSync(dirname(hosts), {recursive: true});
	writeFileSync(hosts, '127.0.0.1 localhost\n');
	const child = spawn(
		'unshare',
		[
			'--mount',
			'--propagation',
			'unchanged',
			'/bin/sh',
			'-c',
			setUp,
			'sh',
			root,
			podDirectory,
			propagation,
			isReadOnly ? 'ro' : 'rw',
			hosts,
		],
		{cwd: '/', stdio: ['pipe', 'pipe', 'inherit']},
	);
	const stop = async (): Promise<void> => {
		await end(child);
		rmSync(root, {recursive: true, force: true});
	};

	t.teardown(stop);
	const lines = createInterface({input: child.stdout})[Symbol.asyncIterator]();
	const first = await lines.next();
	if (first.value !== 'ready') {
		throw new Error(`The container did not start: ${String(first.value)}`);
	}

	return {
		stop,
		async run(line) {
			child.stdin.write(`${line}\n`);
			const said: string[] = [];
			for (let next = await lines.next(); next.done !== true && next.value !== '<end>'; next = await lines.next()) {
				said.push(next.value);
			}

			return said.join('\n');
		},
	};
};

const end = async (child: ChildProcess): Promise<void> => {
	if (child.exitCode === null && child.signalCode === null) {
		const exited = new Promise(resolve => {
			child.once('exit', resolve);
		});
		child.kill('SIGKILL');
		await exited;
	}
};
