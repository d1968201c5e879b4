/**
A failure on the node. The message is one line for the person who mounts: what was being done, why it failed, what
to do; no secret.
*/
export class NodeError extends Error {
	override readonly name = 'NodeError';
}

/** The reason of a failed system call in words, such as `ENOSPC: no space left on device`. */
export const toReason = (error: unknown): string => {
	const message = error instanceof Error ? error.message : String(error);
	// Node.js appends the call and its paths (", open '/…'"), which our own sentence names already.
	return message.replace(/, \w+ '.*$/s, '');
};

export const hasErrorCode = (error: unknown, ...codes: readonly string[]): boolean =>
	error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code);
