import test from 'ava';
import {advanceSource, type ByteSource} from '../../src/upload/byte-source.ts';

test('a source goes on where its bytes go on', t => {
	const object = {key: 'k', etag: 'e', sizeBytes: 100, lastModifiedMs: 0};
	t.deepEqual(advanceSource({kind: 'object', object, objectOffset: 5}, 7), {kind: 'object', object, objectOffset: 12});
	t.deepEqual(advanceSource({kind: 'zero'}, 7), {kind: 'zero'});
	t.deepEqual(advanceSource({kind: 'local', position: 5}, 7), {kind: 'local', position: 12});
	const layer = {read: async () => undefined, crcOf: () => undefined, pin: () => undefined, unpin: () => undefined};
	const local: ByteSource = {kind: 'local', layer, position: 5};
	t.like(advanceSource(local, 7), {kind: 'local', position: 12});
	t.is(local.position, 5);
});
