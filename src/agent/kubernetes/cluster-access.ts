import {existsSync} from 'node:fs';
import {join} from 'node:path';

/** Where the API server is and who we are for it. */
export type ClusterAccess = {
	readonly host: string;
	readonly port: number;
	/** Holds `token` and `ca.crt`, which are replaced while we run. */
	readonly serviceAccountDirectory: string;
};

export const defaultServiceAccountDirectory = '/var/run/secrets/kubernetes.io/serviceaccount';

/** What Kubernetes tells each container; `undefined` outside a cluster, or in a pod without a token. */
export const findClusterAccess = (
	variables: NodeJS.ProcessEnv,
	serviceAccountDirectory: string,
): ClusterAccess | undefined => {
	const host = variables['KUBERNETES_SERVICE_HOST'] ?? '';
	const port = Number(variables['KUBERNETES_SERVICE_PORT_HTTPS'] || variables['KUBERNETES_SERVICE_PORT'] || '443');
	if (host === '' || !Number.isInteger(port) || !existsSync(join(serviceAccountDirectory, 'token'))) {
		return undefined;
	}

	return {host, port, serviceAccountDirectory};
};
