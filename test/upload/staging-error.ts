import test from 'ava';
import {FsError} from '../../src/model/fs-error.ts';
import {toFsError} from '../../src/upload/staging-error.ts';

test('a failure of the local disk is ENOSPC, EFBIG or EIO, and an error of ours stays what it is', t => {
	for (const [code, errno] of [
		['ENOSPC', 'ENOSPC'],
		['EDQUOT', 'ENOSPC'],
		['EFBIG', 'EFBIG'],
		['EROFS', 'EIO'],
		[undefined, 'EIO'],
	] as const) {
		const cause = Object.assign(new Error('no'), code === undefined ? {} : {code});
		t.like(toFsError(cause), {errno, cause});
	}

	const own = new FsError('EFBIG', 'why');
	t.is(toFsError(own), own);
});
