import test from 'ava';
import {assertFileBytes} from '../../src/filesystem/file-size.ts';
import {objectBytesMax} from '../../src/upload/upload-plan.ts';

test('a file has at most as many bytes as an object', t => {
	t.notThrows(() => assertFileBytes(objectBytesMax));
	t.like(
		t.throws(() => assertFileBytes(objectBytesMax + 1)),
		{errno: 'EFBIG'},
	);
});
