/**
`npm run bench`: this file system beside s3fs and rclone, in turn on one S3 server. bench/README.md says what it does;
`--help` lists the options. It judges nothing: machines are shared and noisy.
*/
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {parseBenchOptions, usage, type BenchOptions} from './bench-options.ts';
import {Bench} from './bench.ts';
import {CleanUp} from './clean-up.ts';
import {measureDrivers} from './driver.ts';
import {describeMachine, formatLoad, isBusy} from './machine.ts';
import {makePlan, type Plan} from './plan.ts';
import {formatMarkdown} from './reporting/report-markdown.ts';
import type {MountFigure, Report} from './reporting/report.ts';
import {publishReport, writeReport} from './reporting/write-report.ts';
import {startDevServer, startRgw, useServer, type S3Server} from './server/s3-server.ts';

const root = path.resolve(import.meta.dirname, '..');
const reportDirectory = path.join(import.meta.dirname, 'report');

const main = async (args: readonly string[], cleanUp: CleanUp, signal: AbortSignal): Promise<void> => {
	const options = parseBenchOptions(args);
	if (options === 'help') {
		console.log(usage);
		return;
	}

	const startedAt = new Date();
	const load = formatLoad();
	const plan = await makePlan(options);
	const notes = [...plan.notes, ...(isBusy() ? [`The machine was busy when this began (load ${load}).`] : [])];
	for (const note of notes) {
		console.log(note);
	}

	const temporary = await fs.mkdtemp(path.join(os.tmpdir(), 'pnx-bench-'));
	cleanUp.add(async () => fs.rm(temporary, {recursive: true, force: true}));
	const server = await startServer(options, temporary, cleanUp);
	const bench = new Bench({options, plan, server, temporary, cleanUp, signal});
	await bench.run();
	signal.throwIfAborted();
	const mounts = bench.isTimeOver ? [] : await measureMounts(plan, server, temporary, notes);
	const report: Report = {
		startedAt: `${startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`,
		minutes: (Date.now() - startedAt.getTime()) / 60_000,
		machine: describeMachine(),
		load: `${load} before, ${formatLoad()} after`,
		server: server.name,
		commandLine: ['npm run bench', ...(args.length === 0 ? [] : ['--', ...args])].join(' '),
		rounds: options.rounds,
		subjects: plan.subjects.map(({reported}) => reported),
		notes: [...notes, ...bench.notes],
		ceilings: bench.ceilings,
		rows: bench.results.rows(),
		mounts,
	};
	await writeReport(report, reportDirectory);
	if (options.publish) {
		await publishReport(report, path.join(root, 'docs'));
	}

	console.log(
		`\n${formatMarkdown(report, {headingLevel: 2})}\n\nIn ${reportDirectory}: report.md, report.json, report.svg`,
	);
};

const startServer = async (options: BenchOptions, temporary: string, cleanUp: CleanUp): Promise<S3Server> => {
	if (options.server === 'dev-server') {
		const directory = await serverDirectory(temporary, options.sizes.largeMebibytes);
		cleanUp.add(async () => fs.rm(directory, {recursive: true, force: true}));
		const server = await startDevServer(directory);
		cleanUp.add(server.stop);
		return server;
	}

	const server =
		options.server === 'rgw' ? await startRgw(path.join(temporary, 'rgw')) : useServer(options.server.url, process.env);
	cleanUp.add(server.stop);
	return server;
};

/** In memory, so that no disk is measured, where there is room for the large files of all subjects. */
const serverDirectory = async (temporary: string, largeMebibytes: number): Promise<string> => {
	const memory = '/dev/shm';
	const neededBytes = 8 * largeMebibytes * 2 ** 20;
	const {bavail, bsize} = await fs.statfs(memory).catch(() => ({bavail: 0, bsize: 0}));
	return os.freemem() > neededBytes && bavail * bsize > neededBytes
		? fs.mkdtemp(path.join(memory, 'pnx-bench-'))
		: path.join(temporary, 's3');
};

/** Without them where a driver fails: the rest of the report is worth its time. */
const measureMounts = async (
	plan: Plan,
	server: S3Server,
	temporary: string,
	notes: string[],
): Promise<MountFigure[]> => {
	if (!plan.measuresMounts) {
		return [];
	}

	try {
		return await measureDrivers(server.endpoint, temporary);
	} catch (error) {
		notes.push(`Without the calls of the driver: ${String(error)}`);
		return [];
	}
};

/** Of the options: those of `parseArgs`, and ours. */
const isUsageError = (error: unknown): error is Error =>
	error instanceof RangeError ||
	(error instanceof TypeError && String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS'));

const cleanUp = new CleanUp();
const interruption = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
	process.on(name, () => {
		console.error(`${name}: taking away mounts, processes and directories ...`);
		interruption.abort(new Error('it was interrupted'));
	});
}

try {
	await main(process.argv.slice(2), cleanUp, interruption.signal);
} catch (error) {
	if (!interruption.signal.aborted) {
		console.error(isUsageError(error) ? error.message : error);
	}

	process.exitCode = interruption.signal.aborted ? 130 : 1;
} finally {
	await cleanUp.run();
}
