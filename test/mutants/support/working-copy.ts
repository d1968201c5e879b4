import {execFileSync, spawn} from 'node:child_process';
import {cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import process from 'node:process';
import ts from 'typescript';

export type TestOutcome = {
	readonly isRed: boolean;
	/** The first test that failed, or why there is none. */
	readonly firstRed: string | undefined;
	readonly durationMs: number;
};

/** What a copy is made without: it is made anew, linked, or of no use there. */
const leftOut = new Set(['.git', 'build', 'dist', 'node_modules', 'results']);

/** A copy of the repository in a directory of its own, compiled: its sources may be wrong on purpose. */
export class WorkingCopy {
	readonly root: string;
	readonly #directory: string;
	/** The text of each source that is wrong now, as it was. */
	readonly #originals = new Map<string, string>();
	/** Ends the tests that run now. */
	#endTests: () => void = () => undefined;

	private constructor(directory: string) {
		this.#directory = directory;
		this.root = join(directory, 'copy');
	}

	/** Copies the tree below `original` as it is now, and compiles it. The copy goes at the end of the process. */
	static create(original: string): WorkingCopy {
		const copy = new WorkingCopy(mkdtempSync(join(tmpdir(), 'pnx-mutants-')));
		process.once('exit', () => {
			copy.#remove();
		});
		mkdirSync(copy.#temporary);
		cpSync(original, copy.root, {recursive: true, filter: path => path === original || !leftOut.has(basename(path))});
		symlinkSync(join(original, 'node_modules'), join(copy.root, 'node_modules'));
		execFileSync(process.execPath, [join(copy.root, 'scripts/build.ts')], {stdio: 'inherit'});
		return copy;
	}

	get #temporary(): string {
		return join(this.#directory, 'tmp');
	}

	/** Replaces the text of a source, also in what it compiles to. */
	replace(file: string, text: string): void {
		if (!this.#originals.has(file)) {
			this.#originals.set(file, readFileSync(join(this.root, file), 'utf8'));
		}

		this.#write(file, text);
	}

	/** All sources are as they were. */
	restore(): void {
		for (const [file, text] of this.#originals) {
			this.#write(file, text);
		}

		this.#originals.clear();
	}

	/**
	Runs test files up to the first failure. As root they run in namespaces of their own: what a program that is wrong
	leaves running or mounted ends with them. What is not over in time counts as red.
	*/
	async test(files: readonly string[], {timeoutMs}: {timeoutMs: number}): Promise<TestOutcome> {
		const startMs = performance.now();
		const ava = join(this.root, 'node_modules/.bin/ava');
		const argv = [process.execPath, ava, '--tap', '--fail-fast', '--timeout', `${timeoutMs}ms`, ...files];
		const [command = '', ...rest] = process.geteuid?.() === 0 ? [...inNamespaces, ...argv] : argv;
		const child = spawn(command, rest, {
			cwd: this.root,
			env: {
				...process.env,
				TMPDIR: this.#temporary,
				PATH: `${join(this.root, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}`,
			},
			stdio: ['ignore', 'pipe', 'pipe'],
			detached: true,
		});
		const output: Buffer[] = [];
		child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
		child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
		const {promise: ended, resolve, reject} = Promise.withResolvers<number | null>();
		child.once('error', reject);
		child.once('close', resolve);
		this.#endTests = () => {
			process.kill(-child.pid!, 'SIGKILL'); // It was started: a failure to start ends the wait.
		};
		let isLate = false;
		const timer = setTimeout(() => {
			isLate = true;
			this.#endTests();
		}, timeoutMs);
		const status = await ended.finally(() => {
			clearTimeout(timer);
			this.#endTests = () => undefined;
		});
		const text = Buffer.concat(output).toString();
		const [, title] = /^not ok \d+ - (.*)$/m.exec(text) ?? [];
		const reason = isLate ? `not over after ${Math.round(timeoutMs / 1000)} s` : (text.trim().split('\n').at(-1) ?? '');
		const isRed = isLate || status !== 0;
		return {isRed, firstRed: isRed ? (title ?? reason) : undefined, durationMs: performance.now() - startMs};
	}

	/** Ends what runs in it, and removes it. */
	#remove(): void {
		this.#endTests();
		rmSync(this.#directory, {recursive: true, force: true, maxRetries: 5});
	}

	#write(file: string, text: string): void {
		writeFileSync(join(this.root, file), text);
		const compiled = join(this.root, file.replace(/^src\//, 'dist/').replace(/\.ts$/, '.js'));
		if (existsSync(compiled)) {
			writeFileSync(compiled, ts.transpileModule(text, {compilerOptions, fileName: file}).outputText);
		}
	}
}

/** As tsconfig.json has it, as far as it matters for one file without types. */
const compilerOptions: ts.CompilerOptions = {
	target: ts.ScriptTarget.ES2024,
	module: ts.ModuleKind.ESNext,
	verbatimModuleSyntax: true,
	rewriteRelativeImportExtensions: true,
};

const inNamespaces = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
