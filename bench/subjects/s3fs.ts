import path from 'node:path';
import {execa} from 'execa';
import type {Subject} from './subject.ts';

/** As Debian has it, with its cache on disk; README.md says why so. */
export const s3fs: Subject = {
	name: 's3fs',
	isPeer: true,
	waitsForS3: true,
	roles: ['writes', 'reads', 'lists'],
	endsOnSigterm: false,
	command: ({endpoint, bucket, directory, work}) => ({
		file: 's3fs',
		args: [
			bucket,
			directory,
			'-f',
			'-o',
			[
				`url=${endpoint.url}`,
				`endpoint=${endpoint.region}`,
				'use_path_request_style',
				`use_cache=${path.join(work, 'cache')}`,
				'ensure_diskfree=1024',
			].join(','),
		],
		env: {HOME: work, AWSACCESSKEYID: endpoint.accessKeyId, AWSSECRETACCESSKEY: endpoint.secretAccessKey},
	}),
	settle: async () => undefined,
	async version() {
		const {stdout} = await execa('s3fs', ['--version']);
		return `s3fs ${/V([\d.]+)/.exec(stdout)?.[1] ?? stdout}`;
	},
};
