import {resolve} from 'node:path';
import type {Argv, CommandModule} from 'yargs';
import {UsageError} from './usage-error.ts';

type DevServerFlags = {
	directory: string;
	host: string;
	port: string;
	'access-key-id': string;
	'secret-access-key': string;
	region: string | undefined;
	verbose: boolean;
};

/** `dev-server`: the embedded S3 server, for trying things out without an account. */
export const devServerCommand = (): CommandModule<object, DevServerFlags> => ({
	command: 'dev-server',
	describe: 'Run the embedded S3 server (for development)',
	builder: yargs => addServerFlags(yargs),
	async handler({
		directory,
		host,
		port,
		'access-key-id': accessKeyId,
		'secret-access-key': secretAccessKey,
		region,
		verbose,
	}) {
		const portNumber = /^\d{1,5}$/.test(port) ? Number(port) : 65_536;
		if (portNumber > 65_535) {
			throw new UsageError(
				`Flag --port must be a whole number from 0 to 65535: current value is "${port.slice(0, 40)}"`,
			);
		}

		// Loaded here: the other commands start without the server.
		const {runDevServer} = await import('../dev-server/run-dev-server.ts');
		const log = verbose ? (line: string) => process.stderr.write(`${line}\n`) : undefined;
		await runDevServer({
			directory: resolve(directory),
			host,
			port: portNumber,
			accessKeyId,
			secretAccessKey,
			region,
			log,
		});
	},
});

const addServerFlags = (yargs: Argv): Argv<DevServerFlags> =>
	yargs
		.option('directory', {
			type: 'string',
			requiresArg: true,
			demandOption: true,
			describe: 'Where buckets and objects are kept; created when it is missing',
		})
		.option('host', {
			type: 'string',
			requiresArg: true,
			default: '127.0.0.1',
			describe:
				'Address to listen at; with 0.0.0.0, everybody who reaches this machine and has the key can read and write',
		})
		.option('port', {type: 'string', requiresArg: true, default: '0', describe: 'TCP port; 0: any free one'})
		.option('access-key-id', {
			type: 'string',
			requiresArg: true,
			default: 'dev',
			describe: 'The only access key that the server accepts',
		})
		.option('secret-access-key', {
			type: 'string',
			requiresArg: true,
			default: 'dev-secret',
			describe: 'Secret of the access key',
		})
		.option('region', {
			type: 'string',
			requiresArg: true,
			describe: 'Refuse requests that are signed for another region',
		})
		.option('verbose', {type: 'boolean', default: false, describe: 'Write a line for each request to stderr'})
		.example(
			'$0 dev-server --directory /tmp/s3 --port 9000',
			'Then: AWS_ACCESS_KEY_ID=dev AWS_SECRET_ACCESS_KEY=dev-secret pnx-volume mount files /mnt/files --endpoint http://127.0.0.1:9000 --path-style',
		);
