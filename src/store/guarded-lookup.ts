import {lookup, type LookupAddress} from 'node:dns';
import type {LookupFunction} from 'node:net';
import {isLocalAddress} from '../model/local-address.ts';

/**
`dns.lookup` for endpoints that the author of a pod named: a name that leads to this node itself or to its metadata
service is refused at the moment of connecting, so that no later answer of its name server can change that.
*/
export const guardedLookup: LookupFunction = (hostname, options, callback) => {
	lookup(
		hostname,
		options,
		(error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => {
			const addresses = typeof address === 'string' ? [address] : (address ?? []).map(found => found.address);
			const local = addresses.find(found => isLocalAddress(found));
			if (error === null && local !== undefined) {
				callback(
					Object.assign(new Error(`${hostname} leads to ${local}, which is this node itself or its metadata service`), {
						code: 'EPNXLOCAL',
					}),
					'',
					0,
				);
				return;
			}

			callback(error, address, family);
		},
	);
};
