import {mkdirSync, rmdirSync} from 'node:fs';
import {join} from 'node:path';
import {bindMount, detachMounts, detachTop} from './bind-mount.ts';
import type {Deadline} from '../deadline.ts';
import {mountsAt, readMountTable, type Mount} from './mount-table.ts';
import type {NodeEnvironment} from '../node-environment.ts';
import {createRunDirectory} from '../host/run-directory.ts';
import {readOtherNamespaces, type MountNamespace} from './mount-namespaces.ts';

/** One layer for each death of a daemon since the pod has come. */
const stackedCountMax = 16;

/**
Shows the volume's new file system at a pod's directory where the dead mount of an earlier daemon is.

A container that mounts with `HostToContainer` has a copy of that dead mount, not of the directory below it. So the
dead mount must stay: what is mounted on top of it comes to lie on the container's copy as well, and the container's
paths work again. That goes for each mount of the stack that some container was started on. The new one comes to lie
on top of all of them, so that there is no moment at which the empty directory below shows: a container that starts
then would take it for the volume. Only a stack that has become high, or that would bring a container more rights
than it has, is taken apart first, as far as no container holds it.
*/
export const renewPodMount = async ({
	source,
	target,
	volumeId,
	environment,
	deadline,
}: {
	/** Where the new file system is mounted, as a mount without peers. */
	source: string;
	target: string;
	volumeId: string;
	environment: NodeEnvironment;
	deadline: Deadline;
}): Promise<void> => {
	const device = mountsAt(readMountTable(), source).at(-1)?.device;
	const stack = toStack(readMountTable(), target);
	const top = stack.at(-1);
	if (device !== undefined && top?.device === device) {
		return;
	}

	// Of the one at the bottom: later ones were made like it.
	const readOnly = stack[0]?.options.includes('ro') ?? false;
	const namespaces = readOtherNamespaces();
	if (stack.length >= stackedCountMax || (top !== undefined && hasReadOnlyCopy(top, namespaces))) {
		await removeUnheld(target, namespaces, deadline);
	}

	await bindLike({source, target, readOnly, deadline, environment, volumeId});
};

/** The mounts at a path from the bottom up, by what lies on what. */
const toStack = (table: readonly Mount[], path: string): Mount[] => {
	const left = mountsAt(table, path);
	const stack: Mount[] = [];
	for (let next = left.find(mount => !left.some(other => other.id === mount.parentId)); next !== undefined; ) {
		const {id} = next;
		stack.push(next);
		next = left.find(mount => mount.parentId === id);
	}

	return stack;
};

/** From the top down, until there is one that a container was started on. */
const removeUnheld = async (path: string, namespaces: readonly MountNamespace[], deadline: Deadline): Promise<void> => {
	for (;;) {
		const table = readMountTable();
		const top = toStack(table, path).at(-1);
		if (
			top === undefined ||
			isHeld(
				top,
				table.find(mount => mount.id === top.parentId),
				namespaces,
			)
		) {
			return;
		}

		await detachTop(path, deadline);
	}
};

/**
Whether another namespace has a copy of the mount that gets what is mounted on it, but is no mere echo of it: an
echo came through the mount that this one lies on, goes when this one goes, and gets the next one in its place.

Not one with a copy that is read-only.
*/
const isHeld = (mount: Mount, parent: Mount | undefined, namespaces: readonly MountNamespace[]): boolean =>
	!hasReadOnlyCopy(mount, namespaces) &&
	namespaces.some(({mounts}) =>
		mounts.some(
			copy =>
				isCopy(copy, mount) &&
				!mounts.some(other => other.id === copy.parentId && parent !== undefined && isCopy(other, parent)),
		),
	);

/**
Whether another namespace has a copy that is read-only where ours is writable (a container's `readOnly: true`): what
is mounted on ours would come to it writable. Such a container needs a restart.
*/
const hasReadOnlyCopy = (mount: Mount, namespaces: readonly MountNamespace[]): boolean =>
	!mount.options.includes('ro') &&
	namespaces.some(({mounts}) => mounts.some(copy => isCopy(copy, mount) && copy.options.includes('ro')));

const isCopy = (copy: Mount, {peerGroup}: Mount): boolean =>
	peerGroup !== undefined && (copy.masterGroup === peerGroup || copy.peerGroup === peerGroup);

/**
A read-only mount is made elsewhere first and bound from there, because it would reach the containers the moment it
is there: writable, and making it read-only afterwards does not.
*/
const bindLike = async ({
	source,
	target,
	readOnly,
	volumeId,
	environment,
	deadline,
}: {
	source: string;
	target: string;
	readOnly: boolean;
	volumeId: string;
	environment: NodeEnvironment;
	deadline: Deadline;
}): Promise<void> => {
	if (!readOnly) {
		await bindMount({source, target, readOnly, deadline, keepBelow: true});
		return;
	}

	const viaDirectory = join(createRunDirectory(environment.runDirectory, 'renew'), volumeId);
	// Where an earlier attempt was cut off.
	await detachMounts(viaDirectory, deadline);
	mkdirSync(viaDirectory, {recursive: true, mode: 0o700});
	try {
		await bindMount({source, target: viaDirectory, readOnly, deadline});
		await bindMount({source: viaDirectory, target, readOnly: false, deadline, keepBelow: true});
	} finally {
		await detachMounts(viaDirectory, deadline);
		rmdirSync(viaDirectory);
	}
};
