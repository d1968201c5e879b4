import {join} from 'node:path';
import {formatReply} from '../flexvolume/format-reply.ts';
import {createDeadline} from '../node/deadline.ts';
import {NodeError} from '../node/node-error.ts';
import {reach, runOnNode, type NodeRoot} from './node-root.ts';

const testMs = 60_000;

/**
Starts what was copied, on the node itself and as the kubelet will: the driver has to answer `init` to the letter,
and Node.js has to start. What comes of a wrong architecture, a broken library or a file system without exec shows
here, and not in pods.
*/
export const testRuntime = async (root: NodeRoot, home: string): Promise<void> => {
	await testLauncher(root, join(home, 'driver', 'volume'));
	const nodejs = join(home, 'bin', 'node');
	const {exitCode, message} = await runOnNode(root, [nodejs, '--version'], createDeadline(testMs));
	if (exitCode !== 0 || !/^v\d+\.\d+\.\d+$/.test(message)) {
		throw new NodeError(
			`The self-test failed: ${nodejs} does not start on this node: ${message || `exit status ${exitCode}`}`,
		);
	}
};

export const testLauncher = async (root: NodeRoot, path: string): Promise<void> => {
	// Its log is not the place for tests. The path goes as an argument: nothing of it is a word of the shell.
	const {exitCode, message} = await runOnNode(
		root,
		['/bin/sh', '-c', 'export PNX_VOLUME_LOG=/dev/null; exec "$1" init', 'sh', path],
		createDeadline(testMs),
	);
	if (exitCode !== 0 || message !== formatReply({outcome: 'initialised'}).trimEnd()) {
		throw new NodeError(
			`The self-test failed: ${path} init did not answer as the kubelet needs it: ${message || `exit status ${exitCode}, no output`}${reach(root, '') === '' ? '' : ' (run in the namespaces of the node)'}`,
		);
	}
};
