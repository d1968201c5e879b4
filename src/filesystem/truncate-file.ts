import {assertFileBytes} from './file-size.ts';
import type {OpenFile} from './open-file.ts';
import {wallClockNs} from './wall-clock.ts';

/** Cuts or extends a file; it is dirty then. */
export const truncateFile = async (file: OpenFile, sizeBytes: number): Promise<void> => {
	assertFileBytes(sizeBytes);
	await file.exclusively(async () => {
		const layer = await file.writableLayer();
		layer.truncate(sizeBytes);
		file.touch(wallClockNs());
	});
};
