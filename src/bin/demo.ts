/**
Shows in one run what the product does: an S3 server, the calls of a kubelet, two pods that share files, and the objects
behind them. Everything lives below one temporary directory and is gone at the end; `--keep` leaves it up until Ctrl-C.
*/

import {execFile, spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {messageOf} from '../model/error-text.ts';
import {createS3ObjectStore} from '../store/s3-object-store.ts';

const run = promisify(execFile);
const driverPath = fileURLToPath(new URL('../../driver/volume', import.meta.url));
const commandPath = fileURLToPath(new URL('pnx-volume.js', import.meta.url));

const bucket = 'web-media';
const keys = {accessKeyId: 'demo', secretAccessKey: 'demo-secret'};
const root = mkdtempSync(join(tmpdir(), 'pnx-demo-'));
const mounted = new Set<string>();
let server: ChildProcess | undefined;

const say = (text: string) => process.stdout.write(`${text}\n`);
const step = (title: string) => say(`\n== ${title}`);

/** The S3 server as a process of its own, as any S3 is. */
const startServer = async (): Promise<string> => {
	const flags = [
		'--directory',
		join(root, 's3'),
		'--access-key-id',
		keys.accessKeyId,
		'--secret-access-key',
		keys.secretAccessKey,
	];
	server = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', commandPath, 'dev-server', ...flags], {
		detached: true,
		stdio: ['ignore', 'pipe', 'inherit'],
	}); // Detached: Ctrl-C must not end it before what is dirty is uploaded.
	for await (const line of createInterface({input: server.stdout!})) {
		// `stdio` makes it a pipe.
		return (JSON.parse(line) as {endpoint: string}).endpoint;
	}

	throw new Error('The S3 server ended before it was ready');
};

/**
Runs the driver with what a kubelet gives it: no HOME, a minimal PATH; and the node's credentials, as from a drop-in
of the kubelet's service. The answer's message, if the driver refused.
*/
const askDriver = async (...argv: readonly string[]): Promise<string | undefined> => {
	const env = {
		PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
		AWS_ACCESS_KEY_ID: keys.accessKeyId,
		AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
		PNX_VOLUME_STATE_DIR: join(root, 'state'),
		PNX_VOLUME_LOG: join(root, 'pnx-volume.log'),
		PNX_VOLUME_IDLE_MS: '0',
	};
	const startedAtMs = performance.now();
	const {stdout} = await run(driverPath, [...argv], {env});
	say(
		`   driver ${argv
			.slice(0, 2)
			.map(argument => argument.replace(root, ''))
			.join(' ')}   ->   ${stdout.trim()}   (${Math.round(performance.now() - startedAtMs)} ms)`,
	);
	const reply = JSON.parse(stdout) as {status: string; message?: string};
	return reply.status === 'Success' ? undefined : (reply.message ?? reply.status);
};

const callDriver = async (...argv: readonly string[]): Promise<void> => {
	const refusal = await askDriver(...argv);
	if (refusal !== undefined) {
		throw new Error(`The driver answered: ${refusal}`);
	}
};

/** What a pod does in its volume, in a process of its own. */
const inPod = async (pod: string, directory: string, script: string): Promise<void> => {
	const {stdout, stderr} = await run('/bin/sh', ['-ec', script], {cwd: directory});
	say(`   ${pod} $ ${script}`);
	for (const line of `${stdout}${stderr}`.split('\n').filter(text => text !== '')) {
		say(`            ${line}`);
	}
};

/**
The JSON of a kubelet 1.34.9, as it was recorded for a Deployment with a PersistentVolume, with the demo's bucket
and server in it.
*/
const mountOptions = (pod: string, uid: string, endpoint: string, namespace: string): string =>
	JSON.stringify({
		endpoint,
		'kubernetes.io/fsType': 'fuse',
		'kubernetes.io/pod.name': pod,
		'kubernetes.io/pod.namespace': namespace,
		'kubernetes.io/pod.uid': uid,
		'kubernetes.io/pvOrVolumeName': 'pv-1',
		'kubernetes.io/readwrite': 'rw',
		'kubernetes.io/serviceAccount.name': 'default',
		name: bucket,
		'path-style': 'true',
	});

const podDirectory = (uid: string): string => {
	const directory = join(root, 'kubelet', 'pods', uid, 'volumes', 'pnx~volume', 'pv-1');
	mkdirSync(directory, {recursive: true, mode: 0o750});
	return directory;
};

const mountForPod = async (pod: string, uid: string, endpoint: string): Promise<string> => {
	const directory = podDirectory(uid);
	await callDriver('mount', directory, mountOptions(pod, uid, endpoint, 'web'));
	mounted.add(directory);
	return directory;
};

const unmountForPod = async (directory: string): Promise<void> => {
	await callDriver('unmount', directory);
	mounted.delete(directory);
	rmdirSync(directory); // As the kubelet does: works only where nothing was left.
};

const showObjects = async (store: ReturnType<typeof createS3ObjectStore>): Promise<void> => {
	const {objects} = await store.list({prefix: ''});
	for (const {key, sizeBytes} of objects) {
		say(`   s3://${bucket}/${key}   ${sizeBytes} bytes`);
	}
};

const allowServer = (endpoint: string): void => {
	step(
		"The operator of the node lets pods use that server. The rest of the policy is as it comes: with the node's credentials, a namespace gets the buckets that were made for it",
	);
	const policy = JSON.stringify({rules: [{namespaces: ['*'], withNodeCredentials: {endpoints: [endpoint]}}]});
	mkdirSync(join(root, 'state'), {mode: 0o700});
	writeFileSync(join(root, 'state', 'policy.json'), policy, {mode: 0o600});
	say(`   policy.json: ${policy}`);
};

const startFirstPod = async (endpoint: string): Promise<string> => {
	step('A pod is scheduled: the kubelet mounts its volume. There is no bucket yet, so the driver creates it');
	const first = await mountForPod('web-1', '6ddc6c3c-ddc6-4a18-8cd8-51a9dfe8d395', endpoint);

	step('The pod uses it like any directory');
	await inPod('web-1', first, 'mkdir -p images && echo "hello from web-1" > images/hello.txt');
	await inPod(
		'web-1',
		first,
		'head -c 1000000 /dev/urandom > images/photo.raw && sha256sum images/photo.raw > photo.sha256',
	);
	await inPod('web-1', first, 'echo "first line" > log && echo "second line" >> log && mv log access.log');
	await inPod('web-1', first, 'ls -lR');
	return first;
};

const startSecondPod = async (endpoint: string, first: string): Promise<string> => {
	step('A second pod on this node mounts the same volume: it shares the daemon and the cache of the first');
	const second = await mountForPod('web-2', '6e901e33-a320-4e6a-841c-1b10d6c80660', endpoint);
	await inPod('web-2', second, 'cat images/hello.txt && sha256sum -c photo.sha256');
	await inPod('web-2', second, 'echo "third line, from web-2" >> access.log');
	await inPod('web-1', first, 'cat access.log');
	return second;
};

const refuseStranger = async (endpoint: string): Promise<void> => {
	step('A pod of another namespace asks for the same bucket: the policy refuses it, and says what would allow it');
	const uid = '0d4c8a52-55a1-4b0f-9c4e-b2f0f0c3a1de';
	const directory = podDirectory(uid);
	if ((await askDriver('mount', directory, mountOptions('shop-1', uid, endpoint, 'shop'))) === undefined) {
		mounted.add(directory);
		throw new Error('The driver gave the bucket of one namespace to another');
	}
};

const stayUp = async (endpoint: string, first: string, second: string): Promise<void> => {
	step('--keep: all of this stays up. Ctrl-C takes it down');
	say(`   web-1's files   ${first}`);
	say(`   web-2's files   ${second}`);
	say(`   S3              ${endpoint}   bucket ${bucket}   key ${keys.accessKeyId}   secret ${keys.secretAccessKey}`);
	say(`   log             ${join(root, 'pnx-volume.log')}`);
	await interrupted;
};

const main = async ({keep}: {keep: boolean}): Promise<void> => {
	say(`Everything of this demo is below ${root}`);
	step('An S3 server: the embedded one. Any other would do as well');
	const endpoint = await startServer();
	say(`   listens at ${endpoint}`);
	const store = createS3ObjectStore({bucket, region: 'us-east-1', endpoint, pathStyle: true, credentials: keys});
	allowServer(endpoint);

	step('The kubelet asks the driver what it can do');
	await callDriver('init');

	const first = await startFirstPod(endpoint);
	step('Each file is one object of the same name, for every S3 tool to read');
	await showObjects(store);

	const second = await startSecondPod(endpoint, first);
	step('Somebody puts an object into the bucket with an S3 tool: the pods see it as a file');
	await store.put('from-outside.txt', Buffer.from('written by an S3 client\n'));
	await inPod('web-2', second, 'cat from-outside.txt');

	await refuseStranger(endpoint);
	if (keep) {
		await stayUp(endpoint, first, second);
	}

	step('The pods are deleted: the kubelet unmounts. With the last of them, the daemon ends');
	await unmountForPod(first);
	await unmountForPod(second);

	step('What they wrote is in the bucket');
	await showObjects(store);
	await store.close();
};

/** Whatever happened: no mount, no process, no directory stays. */
const cleanUp = async (): Promise<void> => {
	for (const directory of mounted) {
		await callDriver('unmount', directory);
	}

	if (server !== undefined && server.exitCode === null) {
		const ended = once(server, 'exit');
		server.kill('SIGTERM');
		await ended;
	}

	rmSync(root, {recursive: true, force: true});
};

// The reader of our output may be gone (`| head`): clean up all the same.
process.stdout.on('error', () => undefined);

const {promise: interrupted, resolve: interrupt} = Promise.withResolvers<void>();
const isKept = process.argv.includes('--keep');
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
	process.on(signal, () => {
		interrupt();
		if (!isKept) {
			process.exitCode = 1;
		}
	});
}

try {
	await main({keep: isKept});
} catch (error) {
	process.stderr.write(`\nThe demo failed: ${messageOf(error)}\n`);
	process.exitCode = 1;
} finally {
	await cleanUp();
	say('\nNothing of the demo is left on this machine.');
}
