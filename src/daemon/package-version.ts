import {readFileSync} from 'node:fs';

/**
Of the package that this file is part of: two levels up in `src`, in `dist`, and in the bundles of `npm run
package`.
*/
export const packageVersion = (): string => {
	const {version} = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
		version?: unknown;
	};
	return String(version);
};
