/**
What src/fuse/kernel/kernel-device.ts relies on and Node.js does not document, on a FIFO in place of the kernel: libuv
reads any descriptor that can be polled, and each read comes in the buffer that was named for it.
*/
import {execFileSync} from 'node:child_process';
import {constants, openSync, writeSync} from 'node:fs';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {KernelDevice} from '../../../src/fuse/kernel/kernel-device.ts';

type Read = {readonly text: string; readonly buffer: ArrayBufferLike; readonly giveBack: (() => void) | undefined};

const start = async (t: ExecutionContext, {isKept}: {isKept: boolean}) => {
	const directory = await mkdtemp(join(tmpdir(), 'pnx-device-'));
	t.teardown(async () => rm(directory, {recursive: true, force: true}));
	const path = join(directory, 'fifo');
	execFileSync('mkfifo', [path]);
	const descriptor = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
	const device = new KernelDevice(descriptor);
	t.teardown(async () => device.close());
	const reads: Read[] = [];
	let noteRead = (): void => undefined;
	device.start({
		onRequest(bytes, keep) {
			reads.push({
				text: Buffer.from(bytes).toString(),
				buffer: bytes.buffer,
				giveBack: isKept ? keep() : undefined,
			});
			noteRead();
		},
		onEnd: () => undefined,
	});
	const send = (text: string): void => void writeSync(descriptor, text);
	return {
		reads,
		send,
		async exchange(text: string) {
			const {promise, resolve} = Promise.withResolvers<void>();
			noteRead = resolve;
			send(text);
			await promise;
			return reads.at(-1)!; // It was read just now.
		},
	};
};

test('each read is one call, in the same buffer unless that is kept', async t => {
	const {exchange} = await start(t, {isKept: false});
	const first = await exchange('first');
	const second = await exchange('second, longer');
	t.deepEqual([first.text, second.text], ['first', 'second, longer']);
	t.is(first.buffer, second.buffer);
	t.true(first.buffer.byteLength > 2 ** 20 + 40 + 40 - 1, 'The kernel wants room for a whole write');
});

test('a buffer that is kept is not read into before it is given back', async t => {
	const {exchange} = await start(t, {isKept: true});
	const [first, second] = [await exchange('first'), await exchange('second')];
	t.not(first.buffer, second.buffer);
	t.is(Buffer.from(first.buffer).toString('utf8', 0, 5), 'first');
	first.giveBack?.();
	t.not((await exchange('third')).buffer, second.buffer);
	t.is((await exchange('fourth')).buffer, first.buffer);
});

test('while many buffers are kept nothing more is read, and then all that has come', async t => {
	const {exchange, send, reads} = await start(t, {isKept: true});
	for (let count = 1; count <= 64; count++) {
		await exchange(`request ${count}`);
	}

	send('one more');
	for (let turn = 0; turn < 10; turn++) {
		await new Promise(resolve => {
			setImmediate(resolve);
		});
	}

	t.is(reads.length, 64);
	reads[0]?.giveBack?.();
	while (reads.length < 65) {
		await new Promise(resolve => {
			setTimeout(resolve, 1);
		});
	}

	t.is(reads[64]?.text, 'one more');
});
