import {resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import type {CommandModule} from 'yargs';
import {checkNode} from '../doctor/check-node.ts';
import {defaultPluginDirectory} from '../node/host/plugin-directories.ts';
import type {NodeEnvironment} from '../node/node-environment.ts';
import {resolveMountPath} from '../node/mounts/pod-directory.ts';
import {formatChecks, isHealthy} from '../doctor/format-checks.ts';
import {addFlags, parseVolumeFlags} from './option-flags.ts';
import {UsageError} from './usage-error.ts';

const bucketFlags = ['prefix', 'region', 'endpoint', 'path-style', 'provision', 'read-only', 'timeout'];

type DoctorFlags = {
	volume?: string | undefined;
	json: boolean;
	'plugin-dir'?: string | undefined;
	bucket?: string | undefined;
	write: boolean;
};

/** `doctor`: everything that a volume needs, in order, with a remedy for what is not good. */
export const doctorCommand = (environment: NodeEnvironment): CommandModule<object, DoctorFlags> => ({
	command: 'doctor [volume]',
	describe: 'Check what volumes need on this node, and say what to do',
	builder: yargs =>
		addFlags(yargs, bucketFlags)
			.positional('volume', {type: 'string', describe: 'Only this volume: a directory that shows it, or its id'})
			.option('json', {type: 'boolean', default: false, describe: 'Print one object {checks, ok} instead of lines'})
			.option('plugin-dir', {
				type: 'string',
				requiresArg: true,
				defaultDescription: defaultPluginDirectory,
				describe: 'Where the kubelet looks for drivers (its --volume-plugin-dir)',
			})
			.option('bucket', {
				type: 'string',
				requiresArg: true,
				describe: 'Check credentials, endpoint and this bucket, too',
			})
			.option('write', {
				type: 'boolean',
				default: false,
				describe: 'With --bucket: write, read and delete a test object',
			})
			.example('$0 doctor', 'FUSE, driver, runtime, state directory, mounts, log; exit code 1 when something failed')
			.example('$0 doctor --bucket my-files --write', 'Also check the bucket, with the credentials of this shell')
			.example('$0 doctor /mnt/files --json', 'Print JSON, and check the state and mounts of one volume only'),
	async handler({volume, json, 'plugin-dir': pluginDirectory, bucket, write, ...flags}) {
		const stray = [...bucketFlags.filter(name => Object.hasOwn(flags, name)), ...(write ? ['write'] : [])][0];
		if (bucket === undefined && stray !== undefined) {
			throw new UsageError(`--${stray} needs --bucket`);
		}

		const options = bucket === undefined ? undefined : parseVolumeFlags(bucket, flags);
		const nodeChecks = await checkNode({
			environment,
			// Two levels up in `src` and `dist`, and in the bundles of `npm run package`.
			ownHome: fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, ''),
			variables: process.env,
			pluginDirectory: pluginDirectory === undefined ? undefined : resolve(pluginDirectory),
			target: volume === undefined ? undefined : toTarget(volume),
		});
		// Loaded here: without a bucket nobody needs the S3 client.
		const bucketChecks =
			options === undefined
				? []
				: await (await import('../doctor/check-bucket.ts')).checkBucket(options, {isWriteTried: write});
		const checks = [...nodeChecks, ...bucketChecks];
		const ok = isHealthy(checks);
		process.stdout.write(json ? `${JSON.stringify({checks, ok}, undefined, '\t')}\n` : formatChecks(checks));
		process.exitCode = ok ? 0 : 1;
	},
});

/**
A volume's id, or a directory as the mount table spells it; the directory itself is not looked at, for its mount may
hang.
*/
const toTarget = (volume: string): string => {
	const path = resolve(volume);
	return /^[0-9a-f]{16}$/.test(volume) ? volume : (resolveMountPath(path) ?? path);
};
