/**
The programs of all pods of a test, in one process that is not the test's: whatever a mount does to its users, the
test goes on. A line of JSON on stdin for each request, a line on stdout for each answer, in any order.
*/
import {createHash} from 'node:crypto';
import {open, readdir, readFile, rename} from 'node:fs/promises';
import {createInterface} from 'node:readline';
import {fileBytes} from './file-bytes.ts';

export type PodRequest =
	/**
	Makes or replaces a file of `byteCount` bytes that `fileBytes` makes of `seed`: acknowledged when its close() has
	succeeded.
	*/
	| {readonly does: 'write'; readonly path: string; readonly seed: string; readonly byteCount: number}
	| {readonly does: 'rename'; readonly path: string; readonly to: string}
	| {readonly does: 'read'; readonly path: string}
	| {readonly does: 'list'; readonly path: string};

export type PodAnswer = {
	readonly error?: string | undefined;
	readonly sha256?: string;
	readonly names?: readonly string[];
};

const run = async (request: PodRequest): Promise<PodAnswer> => {
	switch (request.does) {
		case 'write': {
			const file = await open(request.path, 'w');
			try {
				await file.writeFile(fileBytes(request.seed, request.byteCount));
			} catch (error) {
				await file.close().catch(() => undefined); // The first error is the one to tell.
				throw error;
			}

			await file.close();
			return {};
		}

		case 'rename': {
			await rename(request.path, request.to);
			return {};
		}

		case 'read': {
			return {
				sha256: createHash('sha256')
					.update(await readFile(request.path))
					.digest('hex'),
			};
		}

		case 'list': {
			return {names: await readdir(request.path)};
		}
	}
};

createInterface({input: process.stdin})
	.on('line', line => {
		const {id, request} = JSON.parse(line) as {id: number; request: PodRequest};
		void run(request)
			.catch((error: unknown): PodAnswer => ({error: error instanceof Error ? error.message : String(error)}))
			.then(answer => process.stdout.write(`${JSON.stringify({id, answer})}\n`));
	})
	.on('close', () => process.exit(0));
