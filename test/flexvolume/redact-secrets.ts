import test from 'ava';
import {redactSecrets} from '../../src/flexvolume/redact-secrets.ts';

const toBase64 = (text: string): string => Buffer.from(text).toString('base64');

test('redactSecrets() blots out every credential, plain and in base64, also inside of words', t => {
	const credentials = {
		accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
		secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
		sessionToken: 'token$&token(.*)token',
	};
	for (const secret of Object.values(credentials)) {
		t.is(redactSecrets(`a ${secret} b${secret}b ${toBase64(secret)}`, credentials), 'a [secret] b[secret]b [secret]');
	}

	t.is(redactSecrets('nothing of it', credentials), 'nothing of it');
	t.is(redactSecrets('without credentials', undefined), 'without credentials');
});

test('redactSecrets() leaves words alone that a short credential is a part of', t => {
	const credentials = {accessKeyId: 'dev', secretAccessKey: 'se.ret'};
	t.is(
		redactSecrets('the device of dev: "dev", key=dev, se.ret, seXret', credentials),
		'the device of [secret]: "[secret]", key=[secret], [secret], seXret',
	);
	t.is(redactSecrets(`mounted ${toBase64('dev')}`, credentials), 'mounted [secret]');
});
