import {assertFileBytes} from './file-size.ts';
import {assertCurrent, type FileHandle, type OpenFile} from './open-file.ts';
import {wallClockNs} from './wall-clock.ts';

/** Cuts or extends a file; it is dirty then. ESTALE when it has another version than the one that `handle` opened. */
export const truncateFile = async (
	file: OpenFile,
	sizeBytes: number,
	{handle}: {handle?: FileHandle} = {},
): Promise<void> => {
	assertFileBytes(sizeBytes);
	await file.exclusively(async () => {
		if (handle !== undefined) {
			assertCurrent(handle);
		}

		const layer = await file.writableLayer();
		layer.truncate(sizeBytes);
		file.touch(wallClockNs());
	});
};
