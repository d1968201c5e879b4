import {FsError} from '../model/fs-error.ts';
import {sealWhenFull} from './file-operations.ts';
import {assertFileBytes} from './file-size.ts';
import {type FileSystemParts, assertWritable} from './file-system-parts.ts';
import type {AllocationRequest, Handle} from './filesystem.ts';
import {catchUp, isFollowing} from './follow-growth.ts';
import {assertCurrent, isOutdated} from './open-file.ts';
import {wallClockNs} from './wall-clock.ts';

/**
fallocate(2): space is checked, a range is zeroed (S3 has no holes: a punched one is zeros), and the file grows unless
`keepSize`. Collapsing and inserting ranges: EOPNOTSUPP. ESTALE when the file has another version than the one that the
handle opened.
*/
export const fallocate = async (parts: FileSystemParts, number: Handle, request: AllocationRequest): Promise<void> => {
	assertWritable(parts);
	const handle = parts.files.handle(number);
	const {file} = handle;
	if (request.otherFlags || (request.punchHole && !request.keepSize)) {
		throw new FsError('EOPNOTSUPP', 'Ranges of a file cannot be collapsed, inserted or shared');
	}

	const end = request.offset + request.length;
	await file.exclusively(async () => {
		assertCurrent(handle);
		const {sizeBytes} = file;
		const clippedEnd = request.keepSize || request.punchHole ? Math.min(end, sizeBytes) : end;
		const start = request.zeroRange || request.punchHole ? request.offset : Math.max(request.offset, sizeBytes);
		assertFileBytes(Math.max(clippedEnd, sizeBytes));
		if (!request.zeroRange && !request.punchHole) {
			// Room now is all that can be promised: what other files take until then is theirs.
			const bytes = Math.max(0, end - Math.max(request.offset, sizeBytes));
			parts.staging.space.reserve(bytes);
			parts.staging.space.release(bytes);
		}

		if (start >= clippedEnd) {
			return;
		}

		const layer = await file.writableLayer();
		if (start > sizeBytes) {
			layer.setSource(sizeBytes, start, {kind: 'zero'});
		}

		layer.setSource(start, clippedEnd, {kind: 'zero'});
		file.touch(wallClockNs());
		await sealWhenFull(parts, file);
	});
};

/**
copy_file_range(2). Where the source is an object without changes and the range is worth a request, the bytes stay on
the server: the new object names them, and the upload copies them there. ESTALE when a file has another version than the
one that its handle opened.
*/
export const copyFileRange = async (
	parts: FileSystemParts,
	source: {handle: Handle; offset: number},
	destination: {handle: Handle; offset: number},
	length: number,
): Promise<number> => {
	assertWritable(parts);
	const from = parts.files.handle(source.handle);
	const toHandle = parts.files.handle(destination.handle);
	const to = toHandle.file;
	if (from.file === to && source.offset < destination.offset + length && destination.offset < source.offset + length) {
		throw new FsError('EINVAL', 'The ranges of a copy within one file overlap');
	}

	assertCurrent(toHandle);
	if (isOutdated(from) && isFollowing(from, source.offset)) {
		await catchUp(parts, from);
	}

	assertCurrent(from);
	const available = Math.max(0, Math.min(length, from.file.sizeBytes - source.offset));
	if (available === 0) {
		return 0;
	}

	assertFileBytes(destination.offset + available);
	const object = from.file.objectAt(source.offset, available);
	if (object !== undefined && available >= parts.options.partBytes) {
		await to.exclusively(async () => {
			assertCurrent(toHandle);
			const layer = await to.writableLayer();
			if (destination.offset > to.sizeBytes) {
				layer.setSource(to.sizeBytes, destination.offset, {kind: 'zero'});
			}

			layer.setSource(destination.offset, destination.offset + available, {
				kind: 'object',
				object,
				objectOffset: source.offset,
			});
			to.touch(wallClockNs());
			await sealWhenFull(parts, to);
		});
		return available;
	}

	const buffer = Buffer.allocUnsafe(Math.min(available, copyBytesMax));
	const bytesRead = await from.file.read(from, source.offset, buffer);
	await to.exclusively(async () => {
		assertCurrent(toHandle);
		const layer = await to.writableLayer();
		await layer.write(destination.offset, buffer.subarray(0, bytesRead), {isAppend: false});
		to.touch(wallClockNs());
		await sealWhenFull(parts, to);
	});
	return bytesRead;
};

/** Callers loop: the kernel's answer to a short copy is the next call. */
const copyBytesMax = 2 ** 20;
