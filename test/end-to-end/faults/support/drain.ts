import {askToEnd} from '../../../../src/node/launch/control-client.ts';
import {createDeadline} from '../../../../src/node/deadline.ts';
import type {MountedNode} from '../../semantics/support/mounted-nodes.ts';
import {Finding} from './scenario.ts';

/** Waits until S3 has everything that the node was told. A node with nothing in its way does that within the bound. */
export const drain = async (node: MountedNode): Promise<void> => {
	const outcome = await askToEnd(node.socketPath, 'drain', createDeadline(200_000));
	if (outcome.outcome !== 'done') {
		throw new Finding(`${node.mountPoint} does not bring its files to S3: ${JSON.stringify(outcome)}\n${tailOf(node)}`);
	}
};

/** The last lines of the log of a node, for a failure's message. */
export const tailOf = (node: MountedNode, count = 12): string =>
	node.log().trimEnd().split('\n').slice(-count).join('\n');
