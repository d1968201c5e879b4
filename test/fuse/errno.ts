import {constants} from 'node:os';
import test from 'ava';
import {errnoNameOf, toFuseResult} from '../../src/fuse/errno.ts';
import {FsError} from '../../src/model/fs-error.ts';

test('errno numbers are the negative ones of this machine', t => {
	t.is(toFuseResult('ENOENT'), -constants.errno.ENOENT);
	t.is(toFuseResult('EOPNOTSUPP'), -95);
	t.is(errnoNameOf(new FsError('EXDEV', 'why')), 'EXDEV');
	t.is(errnoNameOf(new Error('bug')), undefined);
});
