import {fileName, Session, type SessionOptions} from './session.ts';
import type {Bucket} from './server/bucket.ts';
import type {Sizes} from './sizes.ts';
import type {Fixture, SharedFixture} from './workloads/workload.ts';

/** Writes a fixture through the mount of a subject, without delay. */
export const writeFixture = async (fixture: Fixture, options: SessionOptions): Promise<void> => {
	const session = await Session.open(options);
	try {
		await session.prepare(await fixtureScript(fixture, session));
		await session.settle();
	} finally {
		await session.close();
	}
};

const fixtureScript = async (fixture: Fixture, {top, sizes, local}: Session): Promise<string> => {
	switch (fixture) {
		case 'large': {
			return `cp ${await local.random(sizes.largeMebibytes * 2 ** 20)} ${top}/large`;
		}

		case 'small 4k':
		case 'small 128k': {
			const kibibytes = fixture === 'small 4k' ? 4 : 128;
			const source = await local.random(kibibytes * 1024);
			const directory = `${top}/small-${kibibytes}k`;
			return `mkdir ${directory}; for ((i = 0; i < ${sizes.smallFiles}; i++)); do cat ${source} >${directory}/f$i; done`;
		}
	}
};

/** Puts what other tools would have made into the shared bucket. */
export const fillShared = async (fixture: SharedFixture, bucket: Bucket, sizes: Sizes): Promise<void> => {
	switch (fixture) {
		case 'big directory': {
			await bucket.fill(numbered('bigdir/', sizes.entries));
			return;
		}

		case 'tree': {
			const directories = Array.from({length: sizes.treeDirectories}, (_, index) => String(index).padStart(3, '0'));
			await bucket.fill(directories.flatMap(name => numbered(`tree/d${name}/`, sizes.filesOfTreeDirectory)));
			return;
		}

		case 'stat': {
			await bucket.fill(numbered('st/', sizes.statFiles));
		}
	}
};

const numbered = (prefix: string, count: number): string[] =>
	Array.from({length: count}, (_, index) => `${prefix}${fileName(index)}`);
