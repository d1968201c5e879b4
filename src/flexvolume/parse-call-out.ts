/** A call of the kubelet, read from the arguments that it gives the driver. */
export type CallOut =
	| {readonly operation: 'init'}
	| {readonly operation: 'mount'; readonly path: string; readonly optionsJson: string}
	| {readonly operation: 'unmount'; readonly path: string}
	/** `getvolumename`, `attach` and whatever a later kubelet may think of. */
	| {readonly operation: 'unsupported'; readonly call: string};

/**
What the caller of the driver has to change; the message is for a pod's event or the kubelet's log and carries no
secret.
*/
export class CallOutError extends Error {
	override readonly name = 'CallOutError';
}

/**
Reads `init`, `mount <directory> <JSON>`, `unmount <directory>` or anything else. Paths are absolute and
come back without a trailing slash.
*/
export const parseCallOut = (argv: readonly string[]): CallOut => {
	const [call, path, optionsJson] = argv;
	switch (call) {
		case 'init': {
			return {operation: 'init'};
		}

		case 'mount': {
			if (path === undefined || optionsJson === undefined) {
				throw new CallOutError('Cannot mount: the call is "mount <directory> <JSON>", and an argument is missing');
			}

			return {operation: 'mount', path: parseDirectory(path, 'mount'), optionsJson};
		}

		case 'unmount': {
			if (path === undefined) {
				throw new CallOutError('Cannot unmount: the call is "unmount <directory>", and the directory is missing');
			}

			return {operation: 'unmount', path: parseDirectory(path, 'unmount')};
		}

		case undefined: {
			throw new CallOutError('The driver was called without arguments: it takes init, mount or unmount');
		}

		default: {
			return {operation: 'unsupported', call};
		}
	}
};

const parseDirectory = (path: string, call: string): string => {
	const components = path.split('/');
	if (!path.startsWith('/') || path.includes('\0') || components.includes('..') || components.includes('.')) {
		throw new CallOutError(
			`Cannot ${call}: the directory must be an absolute path without "." and "..": current value is "${path.slice(0, 200)}"`,
		);
	}

	const normal = `/${components.filter(component => component !== '').join('/')}`;
	if (normal === '/') {
		throw new CallOutError(`Cannot ${call}: "/" cannot be the directory of a volume`);
	}

	return normal;
};
