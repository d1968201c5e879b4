import {spawn} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {readKubeletPluginDirectory} from '../../src/install/kubelet-settings.ts';
import {createNodeRoot, type NodeRoot} from '../../src/install/node-root.ts';

/** A process that ends with the test, once it is what its command line will say. */
const start = async (t: ExecutionContext, command: string, args: readonly string[], name: string): Promise<number> => {
	const child = spawn(command, args, {stdio: 'ignore'});
	t.teardown(() => child.kill('SIGKILL'));
	for (let attempt = 0; attempt < 1000; attempt++) {
		if (readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').startsWith(`${name}\0`)) {
			return child.pid!; // It has been started: the line above read its command line.
		}

		await delay(10);
	}

	throw new Error(`${command} did not become ${name}`);
};

/** A node of its own: a mount namespace. */
const startNode = async (t: ExecutionContext): Promise<NodeRoot> =>
	createNodeRoot(await start(t, 'unshare', ['--mount', '--propagation', 'private', 'sleep', '1000'], 'sleep'));

/** A process of the node that calls itself a kubelet. */
const startKubelet = async (t: ExecutionContext, {hostPid}: NodeRoot, ...args: readonly string[]): Promise<number> =>
	start(
		t,
		'nsenter',
		[
			'-t',
			String(hostPid),
			'-m',
			'--',
			'/bin/bash',
			'-c',
			'exec -a kubelet "$0" "$@"',
			process.execPath,
			'-e',
			'setInterval(() => undefined, 1000)',
			'--',
			...args,
		],
		'kubelet',
	);

const makeDirectory = (t: ExecutionContext): string => {
	const directory = mkdtempSync(join(tmpdir(), 'pnx-kubelet-'));
	t.teardown(() => rmSync(directory, {recursive: true, force: true}));
	return directory;
};

test('the plugin directory is the one of the flag with which the kubelet of the node was started', async t => {
	const node = await startNode(t);
	t.is(readKubeletPluginDirectory(node), undefined, 'There is no kubelet');
	const pid = await startKubelet(t, node, '--volume-plugin-dir=/etc/kubernetes/volumeplugins/', '--v=2');
	t.is(readKubeletPluginDirectory(node), '/etc/kubernetes/volumeplugins');

	await startKubelet(t, node, '--volume-plugin-dir', '/elsewhere');
	t.is(readKubeletPluginDirectory(node), undefined, "Of two kubelets nobody knows which one is the node's");
	process.kill(pid, 'SIGKILL');
});

test("the plugin directory is the one of the kubelet's configuration where there is no flag, and the last drop-in counts", async t => {
	const [node, directory] = [await startNode(t), makeDirectory(t)];
	const [file, dropIns] = [join(directory, 'config.yaml'), join(directory, 'kubelet.conf.d')];
	mkdirSync(dropIns);
	writeFileSync(
		file,
		'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nvolumePluginDir: "/home/kubernetes/flexvolume" # ours\n',
	);
	await startKubelet(t, node, `--config=${file}`, '--config-dir', dropIns);
	t.is(readKubeletPluginDirectory(node), '/home/kubernetes/flexvolume');
	writeFileSync(
		join(dropIns, '20-plugins.conf'),
		'{"kind": "KubeletConfiguration", "volumePluginDir": "/var/lib/kubelet/volumeplugins"}',
	);
	writeFileSync(join(dropIns, '30-other.conf'), 'kind: KubeletConfiguration\n');
	writeFileSync(join(dropIns, 'README'), 'volumePluginDir: /none\n');
	t.is(readKubeletPluginDirectory(node), '/var/lib/kubelet/volumeplugins');
	writeFileSync(join(dropIns, '40-relative.conf'), 'volumePluginDir: plugins\n');
	t.is(readKubeletPluginDirectory(node), undefined, 'What is no absolute path is not guessed at');
});

test('a kubelet that says nothing has the default directory, and one whose configuration is missing is not guessed at', async t => {
	const [silent, broken] = [await startNode(t), await startNode(t)];
	await startKubelet(t, silent, '--v=2');
	t.is(readKubeletPluginDirectory(silent), '/usr/libexec/kubernetes/kubelet-plugins/volume/exec');
	await startKubelet(t, broken, '--config=/none/config.yaml');
	t.is(readKubeletPluginDirectory(broken), undefined);
});

test('a process in a pod that calls itself a kubelet is not listened to', async t => {
	const [node, pod] = [await startNode(t), await startNode(t)];
	await startKubelet(t, pod, '--volume-plugin-dir=/tmp/evil');
	t.is(readKubeletPluginDirectory(node), undefined);
});
