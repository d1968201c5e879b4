import {isIP} from 'node:net';

/**
Whether the `Host` header of a request names us by an address or as `localhost`. A page of somebody else's that has
its own name point at this machine (DNS rebinding) sends that name, and must not read what we say.
*/
export const isLocalHostName = (host: string | undefined): boolean => {
	const name =
		host
			?.replace(/:\d{1,5}$/, '')
			.replace(/^\[(.*)\]$/, '$1')
			.toLowerCase() ?? '';
	return name === 'localhost' || isIP(name) !== 0;
};
