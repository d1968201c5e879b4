import type {KubernetesClient} from './kubernetes-client.ts';

/**
Asks the kubelet of a node, through the API server, where it looks for drivers; `undefined` when it looks in its
default directory.
*/
export const askPluginDirectory = async (
	client: KubernetesClient,
	nodeName: string,
	signal: AbortSignal,
): Promise<string | undefined> => {
	const answer = await client.call({
		method: 'GET',
		path: `/api/v1/nodes/${encodeURIComponent(nodeName)}/proxy/configz`,
		signal,
	});
	const directory = readPluginDirectory(answer);
	return directory === undefined || directory === '' ? undefined : directory.replace(/(?<=.)\/+$/, '');
};

const readPluginDirectory = (answer: unknown): string | undefined => {
	if (typeof answer !== 'object' || answer === null || !('kubeletconfig' in answer)) {
		return undefined;
	}

	const {kubeletconfig} = answer;
	return typeof kubeletconfig === 'object' &&
		kubeletconfig !== null &&
		'volumePluginDir' in kubeletconfig &&
		typeof kubeletconfig.volumePluginDir === 'string'
		? kubeletconfig.volumePluginDir
		: undefined;
};
