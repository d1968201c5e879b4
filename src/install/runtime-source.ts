import {closeSync, existsSync, openSync, readFileSync, readSync} from 'node:fs';
import {machine} from 'node:os';
import {join} from 'node:path';
import {toReason} from '../model/error-text.ts';
import {NodeError} from '../node/node-error.ts';
import {describeTree, type RuntimeManifest} from './runtime-manifest.ts';

/** A packaged tree, ready to be copied to the node. */
export type RuntimeSource = {
	readonly directory: string;
	readonly manifest: RuntimeManifest;
};

const needed = [
	'driver/volume',
	'bin/node',
	'bin/pnx-volume',
	'dist/bin/driver.js',
	'dist/bin/daemon.js',
	'dist/bin/pnx-volume.js',
];

/** What may be the name of a directory and a word of the launcher. */
const versionPattern = /^\d+\.\d+\.\d+[\dA-Za-z.+-]{0,40}$/;

/** `e_machine` of elf(5), under the names that uname(2) has for them. */
const machines: Readonly<Record<number, string>> = {62: 'x86_64', 183: 'aarch64'};

/** Reads and checks the tree that is to be installed: what `npm run package` makes. */
export const readRuntimeSource = async (directory: string): Promise<RuntimeSource> => {
	const missing = needed.filter(path => !existsSync(join(directory, path)));
	if (missing.length > 0) {
		throw new NodeError(
			`${directory} is not a packaged runtime: it lacks ${missing.join(', ')}; build one with npm run package and give its directory as --source`,
		);
	}

	const version = readVersion(directory);
	if (!versionPattern.test(version)) {
		throw new NodeError(
			`${directory} is not a packaged runtime: its package.json says version "${version.slice(0, 40)}"`,
		);
	}

	assertMachine(join(directory, 'lib', 'node'));
	return {directory, manifest: await describeTree(directory, version)};
};

/** A runtime for another processor would fail at its first start with words that help nobody. */
const assertMachine = (program: string): void => {
	if (!existsSync(program)) {
		return; // Not one of ours brings its own Node.js there; the self-test starts it in any case.
	}

	const header = Buffer.alloc(20);
	const fd = openSync(program, 'r');
	try {
		readSync(fd, header, 0, header.length, 0);
	} finally {
		closeSync(fd);
	}

	const builtFor = header.readUInt32BE(0) === 0x7f_45_4c_46 ? machines[header.readUInt16LE(18)] : undefined;
	if (builtFor !== machine()) {
		throw new NodeError(
			`${program} is built for ${builtFor ?? 'another kind of machine'}, and this node is ${machine()}: use the image or the package for this architecture`,
		);
	}
};

const readVersion = (directory: string): string => {
	try {
		return String((JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as {version?: unknown}).version);
	} catch (error) {
		throw new NodeError(
			`${directory} is not a packaged runtime: its package.json cannot be read (${toReason(error)})`,
			{
				cause: error,
			},
		);
	}
};
