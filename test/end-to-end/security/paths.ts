/** Where a kubelet's path leads is the kubelet's to say, and stays so between the look at it and the mount. */
import {chmodSync, chownSync, lchownSync, mkdirSync, renameSync, rmSync, symlinkSync} from 'node:fs';
import {execFileSync} from 'node:child_process';
import {basename, dirname, join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {mountsAt, readMountTable} from '../../../src/node/mounts/mount-table.ts';
import {createStandInHarness} from '../../support/driver.ts';

const start = (t: ExecutionContext) => {
	const node = createStandInHarness(t);
	const directory = node.podDirectory('uid-1');
	const refuses = async (title: string, message: RegExp, path = directory): Promise<void> => {
		const {reply} = await node.mount(path, {name: 'bucket-1'});
		t.is(reply.status, 'Failure', title);
		t.regex(reply.message!, message, title);
		t.deepEqual(node.starts(), [], title);
	};

	return {
		node,
		directory,
		refuses,
		below: ['pods', 'pods/uid-1', 'pods/uid-1/volumes', 'pods/uid-1/volumes/pnx~volume'].map(path =>
			join(node.kubeletDirectory, path),
		),
	};
};

test.serial('mount refuses a path with a symbolic link in the place of any directory from the pods down', async t => {
	const {refuses, below} = start(t);
	for (const directory of below) {
		const elsewhere = `${directory}-moved`;
		renameSync(directory, elsewhere);
		symlinkSync(elsewhere, directory);
		await refuses(directory, /is a symbolic link; only the kubelet may decide where a pod's volume is$/);
		rmSync(directory);
		renameSync(elsewhere, directory);
	}
});

test.serial('mount refuses a path below a directory that others own or may write to', async t => {
	const {node, refuses, below} = start(t);
	for (const directory of [node.kubeletDirectory, ...below]) {
		chownSync(directory, 1000, 0);
		await refuses(
			`${directory} of user 1000`,
			new RegExp(`${basename(directory)} does not belong to root, or others may write to it`),
		);
		chownSync(directory, 0, 0);
		chmodSync(directory, 0o757);
		await refuses(`${directory} for all to write`, /does not belong to root, or others may write to it/);
		chmodSync(directory, 0o770);
		chownSync(directory, 0, 1000);
		await refuses(`${directory} for a group to write`, /does not belong to root, or others may write to it/);
		chownSync(directory, 0, 0);
		chmodSync(directory, 0o750);
	}

	// Nobody may plant a link there, but they could make a directory that is missing.
	chmodSync(below[1]!, 0o1777);
	await refuses("a pod's directory like /tmp", /does not belong to root, or others may write to it/);
});

test.serial("mount refuses a path inside of a volume that is mounted over the pod's directories", async t => {
	const {node, refuses, below} = start(t);
	for (const directory of below.slice(1)) {
		execFileSync('mount', ['-n', '-t', 'tmpfs', '-o', 'mode=755,size=64k', 'planted', directory]);
		const path = node.podDirectory('uid-1');
		await refuses(directory, /has tmpfs \(planted\) mounted on it; only the kubelet may decide/, path);
		execFileSync('umount', ['-n', directory]);
	}
});

test.serial("mount goes through a symbolic link of root's above the pods, and through nobody else's", async t => {
	const {node, directory, refuses} = start(t);
	const link = join(dirname(node.kubeletDirectory), 'linked');
	symlinkSync(node.kubeletDirectory, link);
	const linked = directory.replace(node.kubeletDirectory, link);
	lchownSync(link, 1000, 1000);
	await refuses('a link of user 1000', /linked does not belong to root/, linked);
	lchownSync(link, 0, 0);

	const open = join(dirname(node.kubeletDirectory), 'open');
	mkdirSync(open);
	chmodSync(open, 0o777);
	symlinkSync(node.kubeletDirectory, join(open, 'linked'));
	await refuses(
		'a link where all may write',
		/open does not belong to root, or others may write to it/,
		directory.replace(node.kubeletDirectory, join(open, 'linked')),
	);
	symlinkSync(join(open, 'linked'), join(dirname(node.kubeletDirectory), 'twice'));
	await refuses(
		'a link to there',
		/open does not belong to root/,
		directory.replace(node.kubeletDirectory, join(dirname(node.kubeletDirectory), 'twice')),
	);

	const loop = join(dirname(node.kubeletDirectory), 'loop');
	symlinkSync(loop, loop);
	await refuses(
		'a link to itself',
		/Cannot follow the symbolic link .*loop: ELOOP/,
		directory.replace(node.kubeletDirectory, loop),
	);

	t.is((await node.mount(linked, {name: 'bucket-1'})).reply.status, 'Success');
	t.is(mountsAt(readMountTable(), directory).length, 1);
	t.is((await node.unmount(linked)).reply.status, 'Success');
});
