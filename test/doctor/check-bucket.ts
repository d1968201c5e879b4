import test from 'ava';
import {judgeOrigin} from '../../src/doctor/check-bucket.ts';

test('judgeOrigin() warns of a bucket whose creation was not finished', t => {
	t.is(judgeOrigin('files', 'pending').status, 'warning');
	t.regex(judgeOrigin('files', 'done').found, /pnx-volume created it$/);
	t.regex(judgeOrigin('files', undefined).found, /it was not created by pnx-volume/);
});
