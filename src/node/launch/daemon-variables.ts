import {systemPath} from '../host/run-command.ts';

/**
What a daemon may see of our environment: where it finds files, proxies and AWS settings. With credentials of its
own (over the pipe) it gets none of ours.
*/
const passedPattern =
	/^(?:HOME|LANG|LC_\w+|TZ|AWS_\w+|PNX_VOLUME_\w+|NODE_EXTRA_CA_CERTS|SSL_CERT_(?:FILE|DIR)|(?:https?|no|all)_proxy|(?:HTTPS?|NO|ALL)_PROXY)$/;
const credentialPattern = /^AWS_(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|PROFILE)$/;

/**
What Node.js reads before it runs a line of ours; no secret is ever in these. Everything else goes over the pipe.
*/
const startPattern = /^(?:HOME|LANG|LC_\w+|TZ|PNX_VOLUME_\w+|NODE_EXTRA_CA_CERTS|SSL_CERT_(?:FILE|DIR))$/;

export type DaemonVariables = {
	/** In the environment of its process: for everybody on the node to see where systemd starts it. */
	readonly start: Readonly<Record<string, string>>;
	/** Over the pipe with the request: keys of AWS, and proxies, whose URLs may hold a password. */
	readonly piped: Readonly<Record<string, string>>;
};

/** The variables for a daemon, out of our own. */
export const toDaemonVariables = (
	variables: NodeJS.ProcessEnv,
	{hasCredentials, stateDirectory}: {hasCredentials: boolean; stateDirectory: string},
): DaemonVariables => {
	// Compiled code is kept from one start to the next: it halves the time that the S3 client takes to load.
	const start: Record<string, string> = {PATH: systemPath, NODE_COMPILE_CACHE: `${stateDirectory}/compile-cache`};
	const piped: Record<string, string> = {};
	for (const [name, value] of Object.entries(variables)) {
		if (value !== undefined && passedPattern.test(name) && !(hasCredentials && credentialPattern.test(name))) {
			(startPattern.test(name) ? start : piped)[name] = value;
		}
	}

	return {start, piped};
};
