/**
The process that holds the mount of one volume; `node/launch/daemon-protocol.ts` says how it is started and spoken
to. Its log goes to stdout as JSON lines, which its starter points at a file. `--debug` as second argument logs
every operation; SIGUSR2 goes through the levels info, debug and trace, which has a line for every operation too.

Core files would hold credentials; Node.js cannot forbid them, so the starter does (`ulimit -c 0`).
*/
import {closeSync, createReadStream, writeSync} from 'node:fs';
import {messageOf, toOneLine} from '../model/error-text.ts';
import type {RunningMount} from '../daemon/run-mount.ts';
import {findLogLevel} from '../model/log-level.ts';
import type {DaemonReady, DaemonRequest} from '../node/launch/daemon-protocol.ts';
import {findHomeDirectory} from '../node/host/home-directory.ts';
import {PodLogFields} from '../daemon/pod-log-fields.ts';
import {volumePathsIn} from '../node/volumes/volume-directory.ts';
import {createLogger, flushLog, type Logger} from '../observability/logger.ts';

const requestDescriptor = 3;
const readyDescriptor = 4;
const requestBytesMax = 2 ** 20;

/** After SIGTERM: less than the 90 s after which systemd and the kubelet lose patience. */
const stopTimeoutMs = 60_000;

const exitStatus = {done: 0, failed: 1, bug: 70};

const main = async (): Promise<void> => {
	let log = createLogger({level: 'info', destination: 1, isSynchronous: false});
	const finish = (status: number): never => {
		flushLog(log);
		process.exit(status);
	};

	for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
		process.on(event, (error: unknown) => {
			log.fatal({err: error}, 'a bug ended the daemon: what was closed or synced is in the journal');
			finish(exitStatus.bug);
		});
	}

	let mount: RunningMount | undefined;
	let isToldToStop = false;
	const stopWhenTold = (): void => {
		if (isToldToStop && mount !== undefined) {
			// Its failure is that of `stopped`, which we wait for.
			mount.stop({timeoutMs: stopTimeoutMs}).catch(() => undefined);
		}
	};

	// From the start: the default would leave a mount behind that was just being made.
	for (const signal of ['SIGTERM', 'SIGINT'] as const) {
		process.on(signal, () => {
			log.info({signal}, 'told to stop');
			isToldToStop = true;
			stopWhenTold();
		});
	}

	process.on('SIGUSR2', () => {
		const level = log.level === 'debug' ? 'trace' : log.level === 'trace' ? 'info' : 'debug';
		log.level = level;
		log.info({newLevel: level}, 'log level changed');
	});

	try {
		const request = await readRequest();
		log = createRequestLogger(request);
		// Before anything is loaded that reads them.
		Object.assign(process.env, request.variables);
		// Loaded here so that a missing libfuse is told to the starter instead of ending us without a word.
		const {runMount} = await import('../daemon/run-mount.ts');
		mount = await runMount(request, {log, isEachOperationLogged: process.argv.includes('--debug')});
	} catch (error) {
		log.fatal({err: error}, 'the volume cannot be mounted');
		report({status: 'failed', message: toOneLine(messageOf(error))});
		return finish(exitStatus.failed);
	}

	report({status: 'ready', pid: process.pid});
	stopWhenTold();
	await mount.stopped;
	finish(exitStatus.done);
};

const readRequest = async (): Promise<DaemonRequest> => {
	let text = '';
	for await (const part of createReadStream('', {fd: requestDescriptor, encoding: 'utf8'})) {
		text += String(part);
		if (text.length > requestBytesMax) {
			throw new RangeError(`Cannot read the request: it is longer than ${requestBytesMax} bytes`);
		}
	}

	return JSON.parse(text) as DaemonRequest;
};

const createRequestLogger = ({volumeId, options, volumeDirectory, credentials}: DaemonRequest): Logger => {
	const pods = new PodLogFields(volumePathsIn(volumeDirectory).stateFile);
	return createLogger({
		// The option is checked with all the others; until then a wrong one counts as the default.
		level: process.argv.includes('--debug') ? 'debug' : (findLogLevel(options['log-level']) ?? 'info'),
		destination: 1,
		isSynchronous: false,
		fields: {volume: volumeId, bucket: options['name'] ?? ''},
		currentFields: () => pods.current(),
		secrets: [
			credentials?.secretAccessKey,
			credentials?.sessionToken,
			process.env['AWS_SECRET_ACCESS_KEY'],
			process.env['AWS_SESSION_TOKEN'],
		].filter(secret => secret !== undefined),
	});
};

/** The starter waits for one line and the end of the pipe. */
const report = (ready: DaemonReady): void => {
	try {
		writeSync(readyDescriptor, `${JSON.stringify(ready)}\n`);
		closeSync(readyDescriptor);
	} catch {
		// The starter is gone. A mount that is ready serves whoever finds it; the log has everything else.
	}
};

process.env['HOME'] ||= findHomeDirectory();
await main();
