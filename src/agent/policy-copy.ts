import {existsSync, readFileSync} from 'node:fs';
import {basename, dirname, join} from 'node:path';
import {hasErrorCode, toReason} from '../model/error-text.ts';
import {parseNodePolicy} from '../policy/node-policy.ts';
import {replaceFile} from '../node/host/durable-file.ts';
import {ensureDirectory, reach, type NodeRoot} from '../install/node-root.ts';

export type PolicyCopy = {
	readonly outcome: 'same' | 'copied' | 'kept';
	/** What is wrong, and what to do; the node then goes on with the policy that it has. */
	readonly problem?: string | undefined;
};

const fileMode = 0o600;
const directoryMode = 0o700;

/**
Brings the node policy from where the ConfigMap is mounted to where the driver reads it. What the driver could not
understand is not copied over a policy that it can. On a node that has none yet it is copied all the same: the
driver then refuses mounts until it is put right, instead of going by a policy that nobody has chosen. A missing
file changes nothing, for it may open what was closed.
*/
export const copyPolicy = async ({
	root,
	source,
	target,
}: {
	root: NodeRoot;
	source: string;
	target: string;
}): Promise<PolicyCopy> => {
	const path = join(ensureDirectory(root, dirname(target), {mode: directoryMode}), basename(target));
	const present = readIfThere(reach(root, path));
	const text = readIfThere(source);
	if (text === undefined) {
		return present === undefined
			? {outcome: 'same'}
			: {
					outcome: 'kept',
					problem: `The policy file ${source} is gone; this node keeps its copy. Restore it (the ConfigMap of the DaemonSet), or delete ${path} on the node to go back to the built-in policy`,
				};
	}

	const wrong = findMistake(text);
	if (wrong !== undefined && present !== undefined && findMistake(present) === undefined) {
		return {
			outcome: 'kept',
			problem: `The policy in ${source} is not valid, so this node keeps the one it had: ${wrong}`,
		};
	}

	const problem =
		wrong === undefined
			? undefined
			: `The policy in ${source} is not valid, and this node has no earlier one, so mounts are refused until it is corrected: ${wrong}`;
	if (present === text) {
		return {outcome: 'same', problem};
	}

	await replaceFile(reach(root, path), text, {mode: fileMode});
	return {outcome: 'copied', problem};
};

const findMistake = (text: string): string | undefined => {
	try {
		parseNodePolicy(text);
		return undefined;
	} catch (error) {
		return toReason(error);
	}
};

const readIfThere = (path: string): string | undefined => {
	try {
		return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
	} catch (error) {
		if (hasErrorCode(error, 'ENOENT')) {
			return undefined;
		}

		throw error;
	}
};
