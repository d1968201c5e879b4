/**
Answers `mount` and `unmount` of the kubelet, started by `driver/volume`, which answers everything else itself.
Arguments: the call and the directory; the JSON of a mount comes on stdin, because every process may read our
arguments. Writes one line of JSON to stdout. Loads nothing that a call does not need: its start is part of each
pod's start.
*/

import {readFileSync, writeSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {messageOf} from '../model/error-text.ts';
import {decideMount} from '../policy/decide-mount.ts';
import {formatReply, toReplyMessage, type CallOutcome} from '../flexvolume/format-reply.ts';
import {CallOutError, parseCallOut, type CallOut} from '../flexvolume/parse-call-out.ts';
import {parseMountOptions, type MountOptions} from '../flexvolume/parse-mount-options.ts';
import {checkPodIdentity, parsePodPath} from '../flexvolume/pod-path.ts';
import {redactSecrets} from '../flexvolume/redact-secrets.ts';
import {OptionError} from '../model/option-value.ts';
import {logCall, logLine, toPodName, type CallLogFields} from '../node/call-log.ts';
import {findCallLogFields} from '../node/calls/call-log-fields.ts';
import {mountVolume} from '../node/calls/mount-volume.ts';
import {readNodeEnvironment, type NodeEnvironment} from '../node/node-environment.ts';
import {NodeError} from '../node/node-error.ts';
import {PolicyFileError, readNodePolicy} from '../policy/node-policy-file.ts';
import {assertTrustedParents} from '../node/mounts/trusted-path.ts';
import {unmountVolume} from '../node/calls/unmount-volume.ts';

/** Their messages are written for users. */
const userErrors = [CallOutError, NodeError, OptionError, PolicyFileError];

/** How much later than the mount's own time-out the last resort is. */
const graceMs = 10_000;

const startedAtMs = performance.now();
const [call = '', path = ''] = process.argv.slice(2);
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
// This is set also when the environment is wrong.
let logPath = process.env['PNX_VOLUME_LOG'] || '/var/log/pnx-volume.log';
/** For the log alone: the kubelet does not look at the message of a success. */
let remark: string | undefined;
/** For the log as well. */
let logFields: CallLogFields = {};

const main = async (): Promise<CallOutcome> => {
	try {
		const environment = readNodeEnvironment(
			process.env,
			fileURLToPath(new URL(`daemon.${extension}`, import.meta.url)),
		);
		({logPath} = environment);
		const argv = process.argv.slice(2);
		return await answer(parseCallOut(call === 'mount' ? [...argv, readFileSync(0, 'utf8')] : argv), environment);
	} catch (error) {
		return {outcome: 'failure', message: toMessage(error)};
	}
};

const answer = async (callOut: CallOut, environment: NodeEnvironment): Promise<CallOutcome> => {
	switch (callOut.operation) {
		case 'init': {
			return {outcome: 'initialised'};
		}

		case 'mount': {
			return mount(callOut, environment);
		}

		case 'unmount': {
			parsePodPath(callOut.path, 'unmount');
			logFields = findCallLogFields(callOut.path, environment.stateDirectory); // It is forgotten with the mount.
			const {journal} = await unmountVolume(callOut.path, environment);
			remark = journal === undefined ? undefined : `bytes that S3 lacks are kept in ${journal}`;
			return {outcome: 'success'};
		}

		case 'unsupported': {
			return {outcome: 'unsupported'};
		}
	}
};

const mount = async (
	{path: directory, optionsJson}: {path: string; optionsJson: string},
	environment: NodeEnvironment,
): Promise<CallOutcome> => {
	const podPath = parsePodPath(directory, 'mount');
	const request = parseMountOptions(optionsJson);
	const {namespace} = checkPodIdentity(podPath, request);
	logFields = {bucket: request.options.name, pod: toPodName(request.pod)};
	const lastResort = setTimeout(() => {
		finish({
			outcome: 'failure',
			message: `Cannot mount bucket ${request.options.name}: it took longer than ${environment.mountTimeoutMs / 1000} s; see ${environment.logPath}`,
		});
	}, environment.mountTimeoutMs + graceMs);
	try {
		const allowed = applyPolicy(request, namespace, environment);
		assertTrustedParents(directory, podPath.podsDirectory);
		await mountVolume(directory, allowed, environment);
		logFields = {...logFields, volume: findCallLogFields(directory, environment.stateDirectory).volume};
		return {outcome: 'success'};
	} catch (error) {
		return {outcome: 'failure', message: redactSecrets(toMessage(error), request.credentials)};
	} finally {
		clearTimeout(lastResort);
	}
};

/** The request as the node policy allows it; a refusal is an error. Before anything else is done for a pod. */
const applyPolicy = (request: MountOptions, namespace: string, {policyPath}: NodeEnvironment): MountOptions => {
	const decision = decideMount(readNodePolicy(policyPath), {
		namespace,
		options: request.options,
		hasSecret: request.credentials !== undefined,
	});
	if (decision.decision === 'refused') {
		throw new CallOutError(decision.message);
	}

	return {...request, options: decision.options, rule: decision.rule};
};

/** Any error that is not written for users is a bug of ours, and the message says so. */
const toMessage = (error: unknown): string => {
	if (userErrors.some(userError => error instanceof userError)) {
		return messageOf(error);
	}

	logLine(logPath, 'fatal', {
		...logFields,
		call,
		err:
			error instanceof Error
				? {type: error.name, message: error.message, stack: error.stack}
				: {message: String(error)},
		msg: 'call met a bug',
	});
	return `An error that should not happen: ${messageOf(error)}`;
};

/** The one answer of this process. Nothing may run after it, so that there is never a second. */
const finish = (outcome: CallOutcome): never => {
	const status = {initialised: 'Success', success: 'Success', unsupported: 'Not supported', failure: 'Failure'}[
		outcome.outcome
	];
	const message = outcome.outcome === 'failure' ? toReplyMessage(outcome.message) : remark;
	logCall(logPath, {call, path, durationMs: performance.now() - startedAtMs, status, message, fields: logFields});
	try {
		writeSync(1, formatReply(outcome));
	} catch {
		// The caller has ended, so nobody reads the answer; the log has it.
	}

	process.exit(0);
};

finish(await main());
