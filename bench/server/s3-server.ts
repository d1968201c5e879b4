import path from 'node:path';
import {execa} from 'execa';

export type Endpoint = {
	readonly url: string;
	readonly region: string;
	readonly accessKeyId: string;
	readonly secretAccessKey: string;
};

/** What everything is measured against. */
export type S3Server = {
	/** For the report. */
	readonly name: string;
	readonly endpoint: Endpoint;
	/** Frees the space of what was deleted, where the server does not do that by itself soon. */
	collectGarbage(): Promise<void>;
	stop(): Promise<void>;
};

const root = path.resolve(import.meta.dirname, '../..');

/** The development server of this repository, in a process of its own that ends with this one. */
export const startDevServer = async (directory: string): Promise<S3Server> => {
	const program = path.join(root, 'test/support/dev-server-process.ts');
	const child = execa(process.execPath, [program, JSON.stringify({directory, port: 0})], {
		stdin: 'pipe',
		stdout: 'pipe',
		stderr: 'inherit',
		buffer: false,
		detached: true, // Ctrl-C is not for it: the clean-up still needs it.
		cleanup: false,
	});
	child.catch(() => undefined); // Ends when its standard input does, in stop().
	let line = '';
	for await (const text of child.stdout.setEncoding('utf8')) {
		line += text as string;
		if (line.includes('\n')) {
			break;
		}
	}

	const {endpoint} = JSON.parse(line) as {endpoint: string};
	return {
		name: 'dev-server',
		endpoint: {url: endpoint, region: 'us-east-1', accessKeyId: 'dev', secretAccessKey: 'dev-secret'},
		collectGarbage: async () => undefined,
		async stop() {
			child.stdin.end();
			await child.catch(() => undefined);
		},
	};
};

/** A Ceph RADOS Gateway of its own, which keeps everything in memory. Its Debian packages are installed first. */
export const startRgw = async (directory: string): Promise<S3Server> => {
	const script = path.join(root, 'test/end-to-end/rgw/support/rgw.sh');
	const env = {PNX_VOLUME_RGW_DIR: directory, PNX_VOLUME_RGW_STORE_BYTES: String(12 * 2 ** 30)};
	const {stdout} = await execa('sh', [script, 'start'], {env, stderr: 'inherit'});
	const valueOf = (name: string): string =>
		new RegExp(`^PNX_VOLUME_TEST_S3_${name}=(.*)$`, 'm').exec(stdout)?.[1] ?? '';
	const configuration = path.join(directory, 'ceph.conf');
	const {stdout: version} = await execa('radosgw', ['--version']);
	return {
		name: version.split(' ').slice(0, 3).join(' '),
		endpoint: {
			url: valueOf('ENDPOINT'),
			region: 'us-east-1',
			accessKeyId: valueOf('ACCESS_KEY'),
			secretAccessKey: valueOf('SECRET_KEY'),
		},
		// By itself it waits for two hours.
		async collectGarbage() {
			await execa('radosgw-admin', ['-c', configuration, '-n', 'client.rgw.a', 'gc', 'process', '--include-all'], {
				timeout: 120_000,
			});
		},
		async stop() {
			await execa('sh', [script, 'destroy'], {env, stderr: 'inherit'});
		},
	};
};

/** A server that is there, with the credentials of this shell. */
export const useServer = (url: string, variables: NodeJS.ProcessEnv): S3Server => ({
	name: url,
	endpoint: {
		url,
		region: variables['AWS_REGION'] ?? 'us-east-1',
		accessKeyId: variables['AWS_ACCESS_KEY_ID'] ?? '',
		secretAccessKey: variables['AWS_SECRET_ACCESS_KEY'] ?? '',
	},
	collectGarbage: async () => undefined,
	stop: async () => undefined,
});
