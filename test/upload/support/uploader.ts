import {ContentWriter} from '../../../src/upload/content-writer.ts';
import {Uploader} from '../../../src/upload/uploader.ts';

/** An uploader with a writer of its own. */
export const createTestUploader = ({
	partBytes,
	memoryBytesMax,
	...options
}: Omit<ConstructorParameters<typeof Uploader>[0], 'writer'> & {partBytes: number; memoryBytesMax: number}): Uploader =>
	new Uploader({...options, writer: new ContentWriter({...options, partBytes, memoryBytesMax})});
