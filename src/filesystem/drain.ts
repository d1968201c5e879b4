import {isStoreError} from '../model/store-error.ts';
import type {FileSystemParts} from './file-system-parts.ts';
import type {FileSystemStatus} from './filesystem.ts';

/** Uploads everything that is dirty; resolves when nothing is left, rejects when the signal ends it first. */
export const drain = async (
	parts: FileSystemParts,
	status: () => FileSystemStatus,
	options: {signal?: AbortSignal; onProgress?: (status: FileSystemStatus) => void} = {},
): Promise<void> => {
	const progress =
		options.onProgress === undefined ? undefined : setInterval(() => options.onProgress?.(status()), 500);
	try {
		for (;;) {
			const changed = parts.files.all().filter(file => file.hasChanges && !file.isUnlinked);
			if (changed.length === 0) {
				await untilAborted(parts.uploads.idle(), options.signal);
				return;
			}

			options.signal?.throwIfAborted();
			parts.uploads.assertOpen(`${changed.length} files with changes stay in the journal`);
			await untilAborted(
				Promise.allSettled(
					changed.map(async file => {
						await file.exclusively(async () => file.seal({waitsForUpload: false}));
						await parts.uploads.settle(file).catch(async (error: unknown) => waitBeforeRetry(error, options.signal));
					}),
				),
				options.signal,
			);
		}
	} finally {
		clearInterval(progress);
	}
};

const waitBeforeRetry = async (error: unknown, signal: AbortSignal | undefined): Promise<void> => {
	if (!isStoreError(error, 'aborted')) {
		await new Promise<void>(resolve => {
			const timer = setTimeout(resolve, 1000);
			signal?.addEventListener(
				'abort',
				() => {
					clearTimeout(timer);
					resolve();
				},
				{once: true},
			);
		});
	}
};

const untilAborted = async (task: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> => {
	if (signal === undefined) {
		await task;
		return;
	}

	const aborted = Promise.withResolvers<never>();
	const onAbort = () => {
		aborted.reject(signal.reason);
	};

	signal.addEventListener('abort', onAbort, {once: true});
	try {
		await Promise.race([task, aborted.promise]);
	} finally {
		signal.removeEventListener('abort', onAbort);
	}
};
