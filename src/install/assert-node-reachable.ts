import {statSync} from 'node:fs';
import {hasErrorCode, toReason} from '../model/error-text.ts';
import {NodeError} from '../node/node-error.ts';
import type {NodeRoot} from './node-root.ts';

/** Refuses a container that is not set up to reach its node: it would install into itself and report success. */
export const assertNodeReachable = ({hostPid, prefix}: NodeRoot): void => {
	if (hostPid === undefined) {
		return;
	}

	let isOwn: boolean;
	try {
		statSync(`${prefix}/`);
		isOwn = statSync(`/proc/${hostPid}/ns/mnt`).ino === statSync('/proc/self/ns/mnt').ino;
	} catch (error) {
		const remedy = hasErrorCode(error, 'ENOENT')
			? 'there is no such process: the pod needs hostPID: true'
			: 'the container needs the capabilities SYS_PTRACE and SYS_ADMIN, and no AppArmor profile that forbids ptrace';
		throw new NodeError(`Cannot reach the node through process ${hostPid}: ${remedy} (${toReason(error)})`, {
			cause: error,
		});
	}

	if (isOwn) {
		throw new NodeError(
			`Process ${hostPid} has the same files as this one, so it does not lead to the node: the pod needs hostPID: true; on the node itself leave --host-pid out`,
		);
	}
};
