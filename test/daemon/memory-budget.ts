import test from 'ava';
import {memoryLimitBytes, planMemoryBytes} from '../../src/daemon/memory-budget.ts';

const mebibyte = 2 ** 20;

test('the memory for data is what the option says, or a quarter of the limit within bounds', t => {
	t.is(planMemoryBytes({optionBytes: 123 * mebibyte, limitBytes: 2 ** 40}), 123 * mebibyte);
	t.is(planMemoryBytes({optionBytes: 0, limitBytes: 400 * mebibyte}), 100 * mebibyte);
	t.is(planMemoryBytes({optionBytes: 0, limitBytes: 100 * mebibyte}), 64 * mebibyte);
	t.is(planMemoryBytes({optionBytes: 0, limitBytes: 2 ** 40}), planMemoryBytes({optionBytes: 0, limitBytes: 2 ** 36}));
});

test('the limit is never more than the machine has', t => {
	t.true(memoryLimitBytes(2 ** 30) <= 2 ** 30);
	t.true(memoryLimitBytes(2 ** 30) > 0);
});
