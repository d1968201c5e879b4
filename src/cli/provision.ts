import type {CommandModule} from 'yargs';
import {addFlags, parseVolumeFlags} from './option-flags.ts';

const provisionFlags = ['region', 'endpoint', 'path-style', 'versioning', 'encryption', 'timeout'];

/** `provision`: what a mount does when its bucket is missing, without the mount. */
export const provisionCommand = (): CommandModule<object, {bucket: string}> => ({
	command: 'provision <bucket>',
	describe: 'Create a bucket as a mount would, or check one that exists',
	builder: yargs =>
		addFlags(yargs, provisionFlags)
			.positional('bucket', {type: 'string', demandOption: true, describe: 'The bucket'})
			.example(
				'$0 provision my-files --region eu-central-1',
				'Private and versioned; unfinished uploads are removed after some days',
			)
			.example('$0 provision my-files --encryption sse-kms:alias/files', 'Encrypted with your own KMS key'),
	async handler({bucket, ...flags}) {
		// Loaded here: the other commands start without the S3 client.
		const {provisionBucket} = await import('../store/provision-bucket.ts');
		const {created, completed} = await provisionBucket({
			options: parseVolumeFlags(bucket, flags),
			log: (message, fields) => process.stderr.write(`${message} ${JSON.stringify(fields)}\n`),
		});
		process.stdout.write(
			created
				? `Created bucket ${bucket}\n`
				: completed
					? `Completed the settings of bucket ${bucket}\n`
					: `Bucket ${bucket} exists and may be used; its settings were left as they are\n`,
		);
	},
});
