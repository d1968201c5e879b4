import path from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {execa} from 'execa';
import type {Subject} from './subject.ts';

type VfsStatistics = {readonly diskCache?: {readonly uploadsInProgress: number; readonly uploadsQueued: number}};

/** As Debian has it, with its cache of writes; README.md says why so. */
export const rclone: Subject = {
	name: 'rclone',
	isPeer: true,
	waitsForS3: false,
	roles: ['writes', 'reads', 'lists'],
	endsOnSigterm: false,
	command: ({endpoint, bucket, directory, work, port}) => ({
		file: 'rclone',
		args: [
			'mount',
			`:s3,provider=Other,env_auth=true,endpoint='${endpoint.url}',region=${endpoint.region},force_path_style=true:${bucket}`,
			directory,
			'--vfs-cache-mode=writes',
			'--vfs-write-back=100ms',
			`--cache-dir=${path.join(work, 'cache')}`,
			'--config=/dev/null',
			'--rc',
			`--rc-addr=127.0.0.1:${port}`,
			'--rc-no-auth',
		],
		env: {HOME: work, AWS_ACCESS_KEY_ID: endpoint.accessKeyId, AWS_SECRET_ACCESS_KEY: endpoint.secretAccessKey},
	}),
	async settle({port}, timeoutMs) {
		const endsAtMs = performance.now() + timeoutMs;
		for (;;) {
			const response = await fetch(`http://127.0.0.1:${port}/vfs/stats`, {method: 'POST'});
			const {diskCache} = (await response.json()) as VfsStatistics;
			if (diskCache === undefined) {
				throw new Error('rclone does not say what it still has to upload');
			}

			if (diskCache.uploadsInProgress + diskCache.uploadsQueued === 0) {
				return;
			}

			if (performance.now() > endsAtMs) {
				throw new Error(`rclone did not upload everything: ${JSON.stringify(diskCache)}`);
			}

			await delay(5);
		}
	},
	async version() {
		const {stdout} = await execa('rclone', ['version', '--config=/dev/null']);
		return stdout.split('\n', 1)[0] ?? '';
	},
};
