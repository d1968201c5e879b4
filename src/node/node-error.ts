/**
A failure on the node. The message is one line for the person who mounts: what was being done, why it failed, what
to do; no secret.
*/
export class NodeError extends Error {
	override readonly name = 'NodeError';
}
