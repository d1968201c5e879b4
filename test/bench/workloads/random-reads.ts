import test from 'ava';
import {readIops} from '../../../bench/workloads/random-reads.ts';

test('the rate of fio is read behind its notes', t => {
	t.is(readIops('note: both iodepth >= 1\n{"jobs": [{"read": {"iops": 244.5}}]}'), 244.5);
	t.throws(() => readIops('{"jobs": [{"read": {"iops": 0}}]}'), {message: 'fio reports no reads'});
});
