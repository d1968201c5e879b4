import test from 'ava';
import {formatReply} from '../../src/flexvolume/format-reply.ts';

test('formatReply() answers init with every capability in words', t => {
	t.is(
		formatReply({outcome: 'initialised'}),
		'{"status":"Success","capabilities":{"attach":false,"selinuxRelabel":false,"supportsMetrics":true,"fsGroup":false,"requiresFSResize":false}}\n',
	);
});

test('formatReply() uses the exact words of the kubelet', t => {
	t.is(formatReply({outcome: 'success'}), '{"status":"Success"}\n');
	t.is(formatReply({outcome: 'unsupported'}), '{"status":"Not supported"}\n');
	t.is(formatReply({outcome: 'failure', message: 'no'}), '{"status":"Failure","message":"no"}\n');
});

test('formatReply() keeps a message on one line of bounded length, whatever is in it', t => {
	const line = formatReply({outcome: 'failure', message: `two\nlines\t"quoted"\u001B[31m ${'x'.repeat(5000)}`});
	t.is(line.indexOf('\n'), line.length - 1);
	t.true(line.length < 1000);
	t.regex((JSON.parse(line) as {message: string}).message, /^two lines "quoted" \[31m x+…$/);
});
