import type {AgentSnapshot} from '../agent-snapshot.ts';

/** A report that is older than this says nothing of now: the watch hangs, or is gone. */
export const reportAgeMsMax = 60_000;

/**
What keeps the agent from being ready, one sentence each; empty when volumes can be mounted here and are watched.
*/
export const findReadinessProblems = (
	{version, installation, report, problems}: AgentSnapshot,
	nowMs: number,
): string[] => {
	const found = [...problems];
	if (installation === undefined) {
		found.push(
			`Version ${version} is not installed on this node yet; a version that was installed before keeps working.`,
		);
	}

	if (report === undefined) {
		found.push('The watch on the node has not reported yet.');
	} else if (nowMs - report.atMs > reportAgeMsMax) {
		found.push(`The newest report of the watch on the node is ${Math.round((nowMs - report.atMs) / 1000)} s old.`);
	}

	return found;
};
