import type {MetadataCache} from '../cache/metadata-cache.ts';
import type {ObjectReader} from '../cache/object-reader.ts';
import {FsError} from '../model/fs-error.ts';
import type {VolumeOptions} from '../model/volume-options.ts';
import type {EarlyUploads} from '../upload/early-uploads.ts';
import type {StagingArea} from '../upload/staging-area.ts';
import type {UploadQueue} from '../upload/upload-queue.ts';
import type {ObjectStore} from '../store/object-store.ts';
import type {AttributeDefaults} from './attributes.ts';
import type {FilesAhead} from './files-ahead.ts';
import type {FileTable} from './file-table.ts';
import type {KernelPages} from './kernel-pages.ts';
import type {KnownMarkers} from './known-markers.ts';
import type {LocalChanges} from './local-changes.ts';
import type {Namespace} from './namespace.ts';
import type {OpenFile} from './open-file.ts';
import type {Openings} from './openings.ts';
import type {PathLocks} from './path-locks.ts';

/**
The parts of one file system, as its operations use them. What an operation changed it says to `changes`, which says
it to all tables of names: their methods for that are left out here.
*/
export type FileSystemParts = {
	readonly options: VolumeOptions;
	readonly defaults: AttributeDefaults;
	readonly store: ObjectStore;
	readonly reader: ObjectReader;
	readonly staging: StagingArea;
	readonly changes: LocalChanges;
	readonly cache: Pick<MetadataCache, 'beginRead' | 'changeSince' | 'get' | 'recordListing'>;
	readonly namespace: Omit<Namespace, 'forgetLookup' | 'forgetLookupsBelow'>;
	readonly filesAhead: FilesAhead;
	readonly markers: Pick<KnownMarkers, 'has' | 'note'>;
	readonly kernelPages: Pick<KernelPages, 'forget' | 'has' | 'note'>;
	readonly files: FileTable;
	readonly openings: Openings;
	readonly uploads: UploadQueue<OpenFile>;
	readonly earlyUploads: EarlyUploads;
	readonly locks: PathLocks;
	/** Milliseconds that only ever grow. */
	readonly now: () => number;
};

/** EROFS in a read-only volume, before anything is sent. */
export const assertWritable = (parts: FileSystemParts): void => {
	if (parts.options.readOnly) {
		throw new FsError('EROFS', 'The volume is mounted read-only');
	}
};
