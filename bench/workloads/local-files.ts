import {randomBytes} from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import {execa} from 'execa';

const chunkBytes = 2 ** 20;

/** What workloads copy from: files on local disk, each made when it is first needed. Same sizes in every run. */
export class LocalFiles {
	readonly #directory: string;
	readonly #made = new Map<string, Promise<string>>();

	constructor(directory: string) {
		this.#directory = directory;
	}

	/** A file of random bytes. */
	async random(bytes: number): Promise<string> {
		return this.#once(`random-${bytes}`, async file => {
			await using handle = await fs.open(file, 'w');
			for (let written = 0; written < bytes; written += chunkBytes) {
				await handle.write(randomBytes(Math.min(chunkBytes, bytes - written)));
			}
		});
	}

	/** A tar archive of small files, like a tree of npm packages: 50 files a package, 200 bytes to 6 KB. */
	async archive(fileCount: number): Promise<string> {
		return this.#once(`archive-${fileCount}.tar`, async file => {
			const tree = `${file}.d`;
			await writeAll(fileCount, index => {
				const inPackage = index % 50;
				const folder = ['', 'lib/', 'lib/util/'][inPackage % 3]!; // One of three.
				return {
					path: path.join(tree, `node_modules/pkg${Math.floor(index / 50)}/${folder}f${inPackage}.js`),
					bytes: ((Math.floor(index / 50) * 131 + inPackage * 977) % 6000) + 200,
				};
			});
			await execa('tar', ['-C', tree, '-cf', file, 'node_modules']);
			await fs.rm(tree, {recursive: true});
		});
	}

	/** A git repository of small text files, in 20 folders and as many commits. */
	async repository(fileCount: number): Promise<string> {
		return this.#once(`repository-${fileCount}`, async directory => {
			const git = async (...args: string[]): Promise<void> => {
				const identity = ['-c', 'user.name=bench', '-c', 'user.email=bench@localhost'];
				await execa('git', [...identity, '-C', directory, ...args], {env: {GIT_CONFIG_NOSYSTEM: '1', HOME: directory}});
			};
			await fs.mkdir(directory);
			await git('init', '-q', '-b', 'main');
			const filesOfCommit = Math.ceil(fileCount / 20);
			for (let first = 0; first < fileCount; first += filesOfCommit) {
				await writeAll(Math.min(filesOfCommit, fileCount - first), offset => {
					const index = first + offset;
					return {path: path.join(directory, `src/m${index % 20}/f${index}.ts`), bytes: ((index * 37) % 4000) + 100};
				});
				await git('add', '-A');
				await git('commit', '-q', '-m', `From ${first}`);
			}
		});
	}

	/** A tree of 0.5 to 300 KB files, 30 KB on average, in up to 32 x 32 directories. */
	async tree(fileCount: number): Promise<string> {
		return this.#once(`tree-${fileCount}`, async directory => {
			await writeAll(fileCount, index => ({
				path: path.join(directory, `d${index % 32}/e${Math.floor(index / 32) % 32}/f${index}`),
				bytes: Math.round(512 * 600 ** ((((index * 7919) % 1000) / 1000) ** 1.5)),
			}));
		});
	}

	async #once(name: string, make: (place: string) => Promise<void>): Promise<string> {
		const place = path.join(this.#directory, name);
		const made = this.#made.get(name) ?? make(place).then(() => place);
		this.#made.set(name, made);
		return made;
	}
}

const writeAll = async (count: number, plan: (index: number) => {path: string; bytes: number}): Promise<void> => {
	for (let index = 0; index < count; index++) {
		const {path: file, bytes} = plan(index);
		await fs.mkdir(path.dirname(file), {recursive: true});
		// Text, so that git and tar meet what they meet in practice.
		await fs.writeFile(
			file,
			randomBytes(Math.ceil((bytes * 3) / 4))
				.toString('base64')
				.slice(0, bytes),
		);
	}
};
