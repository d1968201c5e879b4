const mebibyte = 2 ** 20;

/** Less than this and one large upload and one reader no longer fit beside each other. */
const bytesMin = 64 * mebibyte;
const bytesMax = 128 * mebibyte;

/**
Bytes for data in flight, reads and writes together: what the option says, or a quarter of what the process may have
(the cgroup's limit, or the machine's memory), within bounds. The rest is for Node.js itself, the native threads'
request buffers, and everybody else on the node.
*/
export const planMemoryBytes = ({optionBytes, limitBytes}: {optionBytes: number; limitBytes: number}): number =>
	optionBytes === 0 ? Math.min(bytesMax, Math.max(bytesMin, Math.floor(limitBytes / 4))) : optionBytes;

/** What this process may use: the smaller of the cgroup's limit and the machine's memory. */
export const memoryLimitBytes = (machineBytes: number): number => {
	const constrainedBytes = process.constrainedMemory();
	return constrainedBytes > 0 && constrainedBytes < machineBytes ? constrainedBytes : machineBytes;
};
