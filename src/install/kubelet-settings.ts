import {readdirSync, readFileSync, readlinkSync} from 'node:fs';
import {basename, join} from 'node:path';
import {hasErrorCode} from '../model/error-text.ts';
import {defaultPluginDirectory} from '../node/host/plugin-directories.ts';
import {NodeError} from '../node/node-error.ts';
import {reach, resolveOnNode, type NodeRoot} from './node-root.ts';

const flagName = '--volume-plugin-dir';

/**
Where the kubelet of the node looks for drivers, from its command line and its configuration: the flag counts more
than the files, as in the kubelet; its default where neither says. `undefined` when there is not exactly one
kubelet, as k3s and others have it inside of another process and some run it in a container, or when its
configuration cannot be read. It needs no right at the API server, whose `nodes/proxy` allows much more than to ask.
*/
export const readKubeletPluginDirectory = (root: NodeRoot): string | undefined => {
	const kubelets = findKubelets(root);
	const [kubelet] = kubelets;
	if (kubelet === undefined || kubelets.length > 1) {
		return undefined;
	}

	const directory = flagOf(kubelet, flagName) ?? readConfiguration(root, kubelet);
	return directory?.startsWith('/') === true ? directory.replace(/(?<=.)\/+$/, '') : undefined;
};

/**
The arguments of each kubelet in the node's own mount namespace: a process in a pod may call itself so, and has
another.
*/
const findKubelets = ({hostPid}: NodeRoot): string[][] => {
	const nodeNamespace = readLink(`/proc/${hostPid ?? 'self'}/ns/mnt`);
	const kubelets: string[][] = [];
	for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
		const argv = readText(`/proc/${pid}/cmdline`)?.split('\0') ?? [];
		if (
			basename(argv[0] ?? '') === 'kubelet' &&
			isRoots(pid) &&
			nodeNamespace !== undefined &&
			readLink(`/proc/${pid}/ns/mnt`) === nodeNamespace
		) {
			kubelets.push(argv);
		}
	}

	return kubelets;
};

/**
`--config`, then the files of `--config-dir` in the order of their names, of which the last one counts (kubelet's
drop-in configuration).
*/
const readConfiguration = (root: NodeRoot, argv: readonly string[]): string | undefined => {
	const file = flagOf(argv, '--config');
	const dropIns = flagOf(argv, '--config-dir');
	try {
		const files = [...(file === undefined ? [] : [file]), ...(dropIns === undefined ? [] : listDropIns(root, dropIns))];
		return (
			files
				.map(path => findInText(readFileSync(reach(root, resolveOnNode(root, path)), 'utf8')))
				.findLast(directory => directory !== undefined) ?? defaultPluginDirectory
		);
	} catch (error) {
		// A file that we may not read, or that others than root could have put there.
		if (error instanceof NodeError || hasErrorCode(error, 'ENOENT', 'EACCES', 'EPERM', 'EISDIR', 'ENOTDIR')) {
			return undefined;
		}

		throw error;
	}
};

const listDropIns = (root: NodeRoot, directory: string): string[] =>
	readdirSync(reach(root, resolveOnNode(root, directory)))
		.filter(name => name.endsWith('.conf'))
		.sort()
		.map(name => join(directory, name));

/** A field at the top of a KubeletConfiguration, in YAML or JSON. */
const findInText = (text: string): string | undefined =>
	(/^volumePluginDir:[ \t]*["']?([^"'#\s]+)/m.exec(text) ?? /"volumePluginDir"\s*:\s*"([^"]+)"/.exec(text))?.[1];

const flagOf = (argv: readonly string[], name: string): string | undefined => {
	const index = argv.findLastIndex(argument => argument === name || argument.startsWith(`${name}=`));
	const argument = argv[index];
	return argument === name ? argv[index + 1] : argument?.slice(name.length + 1);
};

const isRoots = (pid: string): boolean => /^Uid:\t0\t0\t/m.test(readText(`/proc/${pid}/status`) ?? '');

const readText = (path: string): string | undefined => {
	try {
		return readFileSync(path, 'utf8');
	} catch (error) {
		if (hasErrorCode(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'ENOTDIR', 'EISDIR')) {
			return undefined;
		}

		throw error;
	}
};

const readLink = (path: string): string | undefined => {
	try {
		return readlinkSync(path);
	} catch {
		return undefined; // It has ended, or is not ours to look at.
	}
};
