import test from 'ava';
import {checkBucketName} from '../../src/model/bucket-name.ts';

for (const name of ['abc', 'my-files', 'my.files.2', '1-2', 'a'.repeat(63), 'xn-files', '1.2.3', '1.2.3.4.5']) {
	test(`checkBucketName() takes ${name}`, t => {
		t.is(checkBucketName(name), undefined);
	});
}

for (const [name, words] of [
	['', /empty; set the option "name"/],
	['ab', /3 to 63/],
	['a'.repeat(64), /3 to 63/],
	['My-Files', /lower case/],
	['my_files', /underscores/],
	['my files', /letters, digits, dots and hyphens/],
	['-files', /begin and end/],
	['files.', /begin and end/],
	['a..b', /two dots/],
	['192.168.5.4', /IP address/],
	['xn--files', /reserves/],
	['files-s3alias', /reserves/],
	['line\nbreak', /"line\?break" cannot be/],
] as const) {
	test(`checkBucketName() refuses ${JSON.stringify(name)} and names the rule`, t => {
		t.regex(checkBucketName(name) ?? '', words);
	});
}
