/** The cases on the real file system, over an object store in memory. */
import {join} from 'node:path';
import {createFileSystem} from '../../../src/filesystem/create-file-system.ts';
import {parseVolumeOptions} from '../../../src/model/volume-options.ts';
import {StagingArea} from '../../../src/upload/staging-area.ts';
import {MemoryObjectStore} from '../../store/doubles/memory-object-store.ts';
import {createTestDirectory} from '../../support/dev-server.ts';
import {directFsUnderTest} from '../../support/direct-fs-under-test.ts';
import {runPosixCases} from './support/posix-cases.ts';

runPosixCases('test', {
	hasHost: false,
	hasExtended: true,
	async prepare(t) {
		const staging = await StagingArea.open({
			directory: join(await createTestDirectory(t), 'staging'),
			bytesMax: 2 ** 30,
			isDurable: false,
		});
		const options = parseVolumeOptions({name: 'test-bucket'});
		const fileSystem = await createFileSystem({
			store: new MemoryObjectStore(),
			staging,
			options,
			memoryBytesMax: 2 ** 26,
		});
		t.teardown(async () => fileSystem.close());
		return directFsUnderTest(fileSystem, '');
	},
});
