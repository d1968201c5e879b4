import test from 'ava';
import {ReadBuffers} from '../../src/fuse/read-buffers.ts';

test('read buffers are used again after the answer, and never while they are taken', async t => {
	const buffers = new ReadBuffers({bytesMax: 2 ** 20, countMax: 1});
	const first = buffers.take(2 ** 20);
	const second = buffers.take(100_000);
	t.not(first.buffer, second.buffer);
	t.is(second.length, 100_000);
	buffers.giveBackAfterAnswer(first);
	t.not(buffers.take(2 ** 20).buffer, first.buffer, 'Not before the answer was copied');
	await new Promise(resolve => {
		setImmediate(resolve);
	});
	t.is(buffers.take(2 ** 20).buffer, first.buffer);
	t.not(buffers.take(2 ** 20).buffer, first.buffer);
	t.is(buffers.take(10).length, 10);
});
