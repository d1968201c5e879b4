import {closeSync, fstatSync, openSync, readFileSync} from 'node:fs';
import {hasErrorCode, toReason} from '../model/error-text.ts';
import {builtInPolicy, parseNodePolicy, type NodePolicy} from './node-policy.ts';
import {PolicyError} from './policy-error.ts';

/** The policy file of this node cannot be used. The message is one line for the person who mounts. */
export class PolicyFileError extends Error {
	override readonly name = 'PolicyFileError';
}

/**
The policy of this node: the built-in one where there is no file. A file that cannot be read or understood, or that
others than root may change, is an error, never a policy that allows more than its author meant.
*/
export const readNodePolicy = (path: string): NodePolicy => {
	const text = readTrusted(path);
	try {
		return text === undefined ? builtInPolicy : parseNodePolicy(text);
	} catch (error) {
		if (error instanceof PolicyError) {
			throw new PolicyFileError(`${error.message} (${path}). Nothing is mounted until it is corrected`, {cause: error});
		}

		throw error;
	}
};

const readTrusted = (path: string): string | undefined => {
	try {
		const fd = openSync(path, 'r');
		try {
			const {uid, mode} = fstatSync(fd);
			if ((uid !== 0 && uid !== process.geteuid?.()) || (mode & 0o022) !== 0) {
				throw new PolicyFileError(
					`The node policy ${path} does not belong to root, or others may write to it. Nothing is mounted until this is corrected (chown root, chmod go-w)`,
				);
			}

			return readFileSync(fd, 'utf8');
		} finally {
			closeSync(fd);
		}
	} catch (error) {
		if (hasErrorCode(error, 'ENOENT')) {
			return undefined;
		}

		throw error instanceof PolicyFileError
			? error
			: new PolicyFileError(
					`Cannot read the node policy ${path}: ${toReason(error)}. Nothing is mounted until it can be read`,
					{
						cause: error,
					},
				);
	}
};
