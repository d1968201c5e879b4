import {readFile} from 'node:fs/promises';
import type {FaultSettings} from '../../../../src/dev-server/dev-server.ts';
import {startMountedNodes, type MountedNode, type MountedNodes} from '../../semantics/support/mounted-nodes.ts';
import type {Program} from '../../semantics/support/program.ts';
import type {Runs} from './close-to-open-history.ts';
import {durabilities, Finding, type Durability, type RoundRequest} from './scenario.ts';

const script = new URL('worker.py', import.meta.url);

/** What every scenario does in four ways. */
export type Setting = {readonly durability: Durability; readonly isVersioned: boolean};

/** What an operation of `worker.py` saw. */
export type Answer = {
	readonly errno?: string;
	readonly step?: string;
	readonly runs?: Runs;
	readonly acknowledged?: number;
	readonly written?: number;
	readonly slowest?: string;
	readonly slowestMs?: number;
};

/** A file that one program alone writes. What it may be by now: more than one after a failure. */
export type OwnFile = {possible: Array<Runs | undefined>; readonly history: string[]};

export const ownFileOf = (files: Map<string, OwnFile>, name: string): OwnFile => {
	const file = files.get(name) ?? {possible: [undefined], history: []};
	files.set(name, file);
	return file;
};

/** A value as it stands in a line of Python, and in a message. */
export const quote = (value: unknown): string => JSON.stringify(value);

/** Four seeds in a row have all settings. */
export const chooseSetting = ({seed, durability, isVersioned}: RoundRequest): Setting => ({
	durability: durability ?? durabilities[seed & 1]!, // There are two.
	isVersioned: isVersioned ?? (seed & 2) !== 0,
});

/** Runs a task with nodes of the setting of a round, and removes them. A finding says what they were like. */
export const onRoundNodes = async <Result>(
	request: RoundRequest,
	{
		count,
		options,
		faults,
	}: {
		readonly count?: number;
		readonly options?: Readonly<Record<string, string>>;
		/** From the start on, where the server can fail on command. */
		readonly faults?: Partial<FaultSettings>;
	},
	task: (nodes: MountedNodes, setting: Setting) => Promise<Result>,
): Promise<Result> => {
	const setting = chooseSetting(request);
	const {durability, isVersioned} = setting;
	const {s3} = request;
	const nodes = await startMountedNodes({
		...(count === undefined ? {} : {count}),
		...(faults === undefined || (s3 !== undefined && s3.setFaults === undefined) ? {} : {faults}),
		...(s3 === undefined ? {isVersioned} : {s3: {...s3, bucket: `${s3.bucket}-${request.seed}-${roundCount++}`}}),
		// Of a bucket that the nodes make: on a server that runs already.
		options: {durability, versioning: String(isVersioned), ...options},
	});
	try {
		return await task(nodes, setting);
	} catch (error) {
		throw error instanceof Finding
			? new Finding(`${quote({...setting, count, options, faults})}: ${error.message}`)
			: error;
	} finally {
		await nodes.close();
		await s3?.setFaults?.({});
	}
};

let roundCount = 0;

/** Programs that know the operations of `worker.py`, one for each node that is given. */
export const startWorkers = async (nodes: readonly MountedNode[]): Promise<Program[]> => {
	const definitions = await readFile(script, 'utf8');
	const programs = nodes.map(node => node.start());
	try {
		await Promise.all(programs.map(async program => program.run(definitions)));
		return programs;
	} catch (error) {
		programs.forEach(program => program.kill());
		throw error;
	}
};
