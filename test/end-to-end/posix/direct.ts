import {MemoryFileSystem} from '../../filesystem/doubles/memory-file-system.ts';
import {directFsUnderTest} from '../../support/direct-fs-under-test.ts';
import {runPosixCases} from './support/posix-cases.ts';

runPosixCases('test', {
	hasHost: false,
	hasExtended: true,
	async prepare() {
		return directFsUnderTest(new MemoryFileSystem(), '');
	},
});
