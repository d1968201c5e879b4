import type {EntryStat, FileSystemStat} from '../../filesystem/filesystem.ts';
import {typeBitsOf} from '../../model/entry-kind.ts';
import {blockBytes, preferredIoBytes, toTimespec} from '../fuse-stat.ts';
import {type Part, partOf} from './kernel-device.ts';
import type {KernelNode} from './node-table.ts';
import {attrOut, entryOut, statfsOut} from './protocol.ts';

/** How long the kernel may use names and attributes: whole seconds, and the rest. */
export type Validity = {readonly seconds: number; readonly nanoseconds: number};

export const toValidity = (durationMs: number): Validity => ({
	seconds: Math.floor(durationMs / 1000),
	nanoseconds: Math.round((durationMs % 1000) * 1_000_000),
});

export const toAttrPart = (node: KernelNode, stat: EntryStat, validity: Validity): Part =>
	partOf(attrOut, {attrValid: validity.seconds, attrValidNs: validity.nanoseconds, ...toAttributes(node, stat)});

export const toEntryValues = (
	node: KernelNode,
	stat: EntryStat,
	validity: Validity,
): Parameters<typeof entryOut.write>[2] => ({
	nodeid: node.id,
	entryValid: validity.seconds,
	entryValidNs: validity.nanoseconds,
	attrValid: validity.seconds,
	attrValidNs: validity.nanoseconds,
	...toAttributes(node, stat),
});

const toAttributes = (node: KernelNode, stat: EntryStat) => {
	const [atime, mtime, ctime] = [toTimespec(stat.atimeNs), toTimespec(stat.mtimeNs), toTimespec(stat.ctimeNs)];
	return {
		ino: node.ino,
		size: stat.sizeBytes,
		blocks: Math.ceil(stat.sizeBytes / blockBytes),
		atime: Number(atime.seconds),
		mtime: Number(mtime.seconds),
		ctime: Number(ctime.seconds),
		atimeNs: atime.nanoseconds,
		mtimeNs: mtime.nanoseconds,
		ctimeNs: ctime.nanoseconds,
		mode: typeBitsOf(stat.kind) | stat.permissions,
		nlink: stat.nlink,
		uid: stat.uid,
		gid: stat.gid,
		rdev: stat.rdev,
		blksize: preferredIoBytes,
	};
};

export const toStatfsPart = (stat: FileSystemStat): Part =>
	partOf(statfsOut, {
		blocks: stat.blocksTotal,
		bfree: stat.blocksFree,
		bavail: stat.blocksFree,
		files: stat.filesTotal,
		ffree: stat.filesFree,
		bsize: stat.blockBytes,
		namelen: stat.nameBytesMax,
		frsize: stat.blockBytes,
	});
