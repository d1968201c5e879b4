import test from 'ava';
import {createFileSystem} from '../../../src/filesystem/create-file-system.ts';
import {parseVolumeOptions} from '../../../src/model/volume-options.ts';
import {StagingArea} from '../../../src/upload/staging-area.ts';
import {createTestDirectory} from '../../support/dev-server.ts';
import {directFsUnderTest} from '../../support/direct-fs-under-test.ts';
import {errnoOf} from '../../support/fs-under-test.ts';
import {readText} from '../../support/fs-text.ts';
import {startTestS3Store} from '../../support/test-s3-store.ts';

test('a small file whose bytes are damaged on the way is read again, and never given to a program as it is', async t => {
	const {store, server} = await startTestS3Store(t);
	const staging = await StagingArea.open({
		directory: await createTestDirectory(t),
		bytesMax: 2 ** 30,
		isDurable: false,
	});
	const fileSystem = await createFileSystem({
		store,
		staging,
		options: parseVolumeOptions({name: 'bucket', 'cache-size': '0'}),
		memoryBytesMax: 2 ** 26,
	});
	t.teardown(async () => fileSystem.close());
	const fs = directFsUnderTest(fileSystem, '');
	const content = 'content '.repeat(10_000);
	await store.put('once', Buffer.from(content));
	await store.put('always', Buffer.from(content));
	server.faults.corruptions = [
		{operation: 'GetObject', key: 'once', count: 1},
		{operation: 'GetObject', key: 'always'},
	];
	t.is(await readText(fs, 'once'), content);
	t.is(await errnoOf(readText(fs, 'always')), 'EIO');
	server.faults.corruptions = [];
	t.is(await readText(fs, 'always'), content);
});
