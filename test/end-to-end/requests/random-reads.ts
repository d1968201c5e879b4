/** What random reads cost at a server, through real mounts. */
import {PutObjectCommand} from '@aws-sdk/client-s3';
import test from 'ava';
import {createTestClient} from '../../support/dev-server.ts';
import {startMountedNodes} from '../semantics/support/mounted-nodes.ts';
import type {Program} from '../semantics/support/program.ts';
import {measureRequests} from '../support/request-cost.ts';

const mebibyte = 2 ** 20;
const fileMebibytes = 96;
const readCount = 50;
const fetchedBytesMax = 2 ** 17;

/** Every four bytes say where they are. */
const createContent = (): Buffer => {
	const content = Buffer.alloc(fileMebibytes * mebibyte);
	for (let offset = 0; offset < content.length; offset += 4) {
		content.writeUInt32BE(offset, offset);
	}

	return content;
};

/** Random reads of 4 KiB in several threads, each with a descriptor of its own; how many got wrong bytes. */
const readRandomly = async (
	program: Program,
	{name, seed, threadCount}: {name: string; seed: number; threadCount: number},
): Promise<unknown> =>
	program.run(`
import random, struct
def reader(seed):
    numbers = random.Random(seed)
    fd = os.open(at('${name}'), os.O_RDONLY)
    for _ in range(${readCount / threadCount}):
        offset = numbers.randrange(${fileMebibytes * mebibyte} // 4 - 1024) * 4
        content = os.pread(fd, 4096, offset)
        if content != struct.pack('>1024I', *range(offset, offset + 4096, 4)):
            wrong.append(offset)
    os.close(fd)
wrong = []
threads = [threading.Thread(target=reader, args=(${seed} + index,)) for index in range(${threadCount})]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
wrong`);

const bytesOf = (range = 'bytes=0-0'): number => {
	const [, start, last] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
	return Number(last) - Number(start) + 1;
};

test('random reads of 4 KiB fetch 128 KiB or less each, and those of several descriptors do not wait for each other', async t => {
	t.timeout(900_000);
	const nodes = await startMountedNodes({options: {'metadata-ttl': '1h', 'cache-size': '0'}});
	const program = nodes.b.start(); // Nothing of what the other one reads and writes is in the pages of its mount.
	try {
		// One without checksums, and one with them.
		const client = createTestClient(t, nodes.server);
		await client.send(new PutObjectCommand({Bucket: nodes.server.bucket, Key: 'plain', Body: createContent()}));
		// As one that was written anew: cat(1) leaves a copy to the server.
		await nodes.a.python("with open(at('written'), 'wb') as file: file.write(read('plain'))");
		t.is((await nodes.bucket.head('plain'))?.blockSums, undefined);
		t.not((await nodes.bucket.head('written'))?.blockSums, undefined);
		let seed = 0;
		for (const name of ['plain', 'written']) {
			for (const threadCount of [1, 5]) {
				let chain = Number.POSITIVE_INFINITY;
				// The look-up, one open, and one for those that came meanwhile.
				const chainMax = readCount / threadCount + 3;
				// A busy machine makes a chain look longer than it is.
				for (const latencyMs of [20, 400, 1600]) {
					seed += 100;
					let wrong: unknown;
					const cost = await measureRequests(nodes.server, {
						latencyMs,
						task: async () => {
							wrong = await readRandomly(program, {name, seed, threadCount});
						},
					});
					t.deepEqual(wrong, []);
					const ranges = cost.list.filter(({operation}) => operation === 'GetObject').map(({range}) => bytesOf(range));
					const bytes = ranges.reduce((sum, size) => sum + size, 0);
					t.true(bytes <= readCount * fetchedBytesMax, `${name}: ${bytes} bytes in ${ranges.length} requests`);
					t.true(bytes > readCount * 4096);
					chain = Math.min(chain, cost.chain);
					t.log(`${name}, ${threadCount} at once: ${bytes / readCount} bytes a read, chain ${cost.chain}`);
					if (chain <= chainMax) {
						break;
					}
				}

				t.true(chain <= chainMax, `${name}, ${threadCount} at once: chain ${chain}`);
			}
		}
	} finally {
		await program.close();
		await nodes.close();
	}
});
