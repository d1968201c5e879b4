/**
Makes, uses and removes a volume's directory again and again, under its lock: `node volume-directory-user.ts
STATE-DIRECTORY COUNT`. Fails when anybody else touches it meanwhile.
*/
import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {createDeadline} from '../../../../src/node/deadline.ts';
import {
	createVolumeDirectory,
	removeVolumeDirectory,
	volumePaths,
} from '../../../../src/node/volumes/volume-directory.ts';
import {withLock} from '../../../../src/node/host/file-lock.ts';

const [stateDirectory = '', count = ''] = process.argv.slice(2);
const paths = volumePaths(stateDirectory, '0123456789abcdef');
const fileCount = 40;

for (let round = 0; round < Number(count); round++) {
	await withLock({path: paths.lockFile, what: 'a test', deadline: createDeadline(300_000)}, async () => {
		createVolumeDirectory(paths);
		const names = Array.from({length: fileCount}, (_, index) => join(paths.staging, `file-${index}`));
		names.forEach(name => writeFileSync(name, `${process.pid}`));
		writeFileSync(paths.stateFile, `${process.pid}`);
		await delay(1);
		for (const name of [...names, paths.stateFile]) {
			if (readFileSync(name, 'utf8') !== `${process.pid}`) {
				throw new Error(`${name} is another process's, and the lock is ours`);
			}
		}

		removeVolumeDirectory(paths, {keepStaging: false});
	});
}
