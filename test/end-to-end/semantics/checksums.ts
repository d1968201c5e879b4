/** The promises of docs/SEMANTICS.md on damaged bytes, with the kernel between programs and daemons. */
import {createHash, randomBytes} from 'node:crypto';
import {readdir, readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {HeadObjectCommand, PutObjectCommand} from '@aws-sdk/client-s3';
import type {ExecutionContext} from 'ava';
import {createTestClient} from '../../support/dev-server.ts';
import {fuse, python, testThatNeeds} from '../../support/needs.ts';
import {startMountedNodes, type MountedNode, type MountedNodes} from './support/mounted-nodes.ts';

const {serial: onMounts} = testThatNeeds(fuse, python);

const mebibyte = 2 ** 20;

const withNodes = async (
	t: ExecutionContext,
	options: Readonly<Record<string, string>>,
	body: (nodes: MountedNodes) => Promise<void>,
): Promise<void> => {
	const nodes = await startMountedNodes({options: {'part-size': '5MiB', ...options}});
	try {
		await body(nodes);
	} finally {
		await nodes.close();
	}

	for (const node of nodes.nodes) {
		t.notRegex(node.log(), /met a bug/);
	}
};

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Writes a file of so many random bytes through a mount; resolves to their SHA-256. */
const writeRandom = async ({python: run}: MountedNode, name: string, sizeBytes: number): Promise<string> =>
	String(
		await run(`import hashlib
content = os.urandom(${sizeBytes})
with open(at('${name}'), 'wb') as file:
    file.write(content)
hashlib.sha256(content).hexdigest()`),
	);

/** The SHA-256 of what a program reads, or the errno that it gets. */
const readHash = async ({python: run}: MountedNode, name: string): Promise<string> =>
	String(
		await run(`import hashlib
def hash():
    try:
        return hashlib.sha256(read('${name}')).hexdigest()
    except OSError as error:
        return errno.errorcode[error.errno]
hash()`),
	);

onMounts(
	'11.9 Bytes of a file of up to 2 GiB that was written through a mount, and that come from S3 damaged, are asked for again and never given to a program; the read fails with EIO when they stay damaged.',
	async t => {
		await withNodes(t, {'cache-size': '1GiB'}, async ({server, a, b}) => {
			const once = await writeRandom(a, 'once', 20 * mebibyte + 4321);
			const always = await writeRandom(a, 'always', 6 * mebibyte);
			await a.shell('mv once moved && chmod 600 moved && printf tail >>moved');
			const moved = await readHash(a, 'moved');
			t.not(moved, once);

			await server.setFaults({
				corruptions: [
					{operation: 'GetObject', key: 'moved', count: 3},
					{operation: 'GetObject', key: 'always'},
				],
			});
			t.is(await readHash(b, 'moved'), moved);
			t.is(await readHash(b, 'always'), 'EIO');
			t.regex(b.log(), /always: its bytes came 4 times without the checksum/);

			// Nothing damaged is on the disk either, from where the next daemon reads what a busy disk had taken.
			await server.setFaults({});
			t.is(await b.stop(), 0);
			await b.restart();
			const cached = await readdir(join(b.volumeDirectory, 'cache'), {recursive: true, withFileTypes: true});
			t.true(cached.some(entry => entry.isFile()));
			t.is(await readHash(b, 'moved'), moved);
			t.is(await readHash(b, 'always'), always);
		});
	},
);

onMounts(
	'11.10 A file that was written from its start to its end, and that the local disk damages before its upload, is not uploaded: its `close()` fails with EIO.',
	async t => {
		await withNodes(t, {}, async ({bucket, a}) => {
			const program = a.start();
			try {
				await program.run(`fd = os.open(at('damaged'), os.O_WRONLY | os.O_CREAT)
for _ in range(7): os.write(fd, b'x' * ${mebibyte})`);
				const staging = join(a.volumeDirectory, 'staging');
				const name = (await readdir(staging, {recursive: true})).find(file => file.endsWith('.data'));
				const file = join(staging, name ?? '');
				const bytes = await readFile(file);
				t.is(bytes.length, 7 * mebibyte);
				bytes[3 * mebibyte]! ^= 1;
				await writeFile(file, bytes, {flag: 'r+'});
				t.is(
					await program.run(`def failure():
    try:
        os.close(fd)
    except OSError as error:
        return errno.errorcode[error.errno]
failure()`),
					'EIO',
				);
			} finally {
				program.kill();
			}

			t.is(await bucket.head('damaged'), undefined);
		});
	},
);

/** What a program reads at the beginning of each of these mebibytes: bytes, or the errno that it gets. */
const readAt = async ({python: run}: MountedNode, name: string, positions: readonly number[]): Promise<unknown> =>
	run(`def readAt(fd, position):
    try:
        return os.pread(fd, 16, position * ${mebibyte} + 99).hex()
    except OSError as error:
        return errno.errorcode[error.errno]
fd = os.open(at('${name}'), os.O_RDONLY)
[readAt(fd, position) for position in ${JSON.stringify(positions)}]`);

onMounts(
	'11.11 Over plain HTTP, a random reader of a file that was written through a mount gets bytes that were compared with a checksum, or that came twice and were the same.',
	async t => {
		await withNodes(t, {'cache-size': '0'}, async ({server, a, b}) => {
			await a.python(`with open(at('file'), 'wb') as file:
    for position in range(24):
        file.write(bytes([position]) * ${mebibyte})`);
			const expectedAt = (position: number) => position.toString(16).padStart(2, '0').repeat(16);
			const read = async (positions: readonly number[]) => {
				await server.clearRequests();
				const bytes = await readAt(b, 'file', positions);
				return {bytes, ranges: (await server.listRequests({operation: 'GetObject'})).map(({range}) => sizeOf(range))};
			};

			const sound = await read([5, 20, 11]);
			t.deepEqual(sound.bytes, [5, 20, 11].map(expectedAt));
			t.is(sound.ranges.length, 6, 'Each twice');
			t.true(sound.ranges.every(bytes => bytes <= 2 ** 16));

			await server.setFaults({corruptions: [{operation: 'GetObject', key: 'file', count: 1}]});
			const once = await read([8, 16]);
			t.deepEqual(once.bytes, [8, 16].map(expectedAt));
			t.is(once.ranges.length, 5, 'One twice, then its whole block, and the other one twice');

			await server.setFaults({corruptions: [{operation: 'GetObject', key: 'file'}]});
			t.deepEqual((await read([22, 2])).bytes, ['EIO', 'EIO']);
		});
	},
);

const sizeOf = (range = ''): number => {
	const [, start, last] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
	return Number(last) - Number(start) + 1;
};

onMounts('what another S3 client makes of an object is read, also when it keeps the metadata', async t => {
	await withNodes(t, {}, async ({server, a, b}) => {
		const client = createTestClient(t, server);
		const key = {Bucket: server.bucket, Key: 'file'};
		await writeRandom(a, 'file', 6 * mebibyte);
		const {Metadata} = await client.send(new HeadObjectCommand(key));
		t.truthy(Metadata?.['pnx-crc32']);
		const other = randomBytes(6 * mebibyte);
		// One part in place of two.
		await client.send(new PutObjectCommand({...key, Body: other, Metadata: {...Metadata, mtime: '1'}}));
		t.is(await readHash(b, 'file'), sha256(other));

		await writeRandom(a, 'file', 2 * mebibyte);
		const {Metadata: ofOne} = await client.send(new HeadObjectCommand(key));
		const longer = randomBytes(2 * mebibyte + 1);
		await client.send(new PutObjectCommand({...key, Body: longer, Metadata: ofOne}));
		t.is(await readHash(b, 'file'), sha256(longer));
	});
});
