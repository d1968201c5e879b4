import {OptionError} from '../model/volume-options.ts';

/** Refuses what S3 refuses, before it can become a path or a host of its own. `hint` says where the name belongs. */
export const assertBucketName = (name: string, hint: string): void => {
	if (name === '') {
		throw new OptionError(`Option "name" is missing; ${hint}`);
	}

	// Amazon S3 User Guide, "General purpose bucket naming rules".
	if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) || name.includes('..')) {
		throw new OptionError(`Option "name" must be a bucket name (3 to 63 lower-case letters, digits, dots and hyphens): current value is "${name.replaceAll(/[\0-\u001F\u007F]/g, '?').slice(0, 80)}"`);
	}
};
