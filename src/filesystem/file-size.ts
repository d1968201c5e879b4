import {FsError} from '../model/fs-error.ts';
import {objectBytesMax} from '../upload/upload-plan.ts';

/** EFBIG when a file cannot have so many bytes: before anything is changed, as an upload could only fail. */
export const assertFileBytes = (sizeBytes: number): void => {
	if (sizeBytes > objectBytesMax) {
		throw new FsError('EFBIG', `An object of S3 has ${objectBytesMax} bytes at most: the file would have ${sizeBytes}`);
	}
};
