import type {SecretCredentials} from './parse-secrets.ts';

/** From so many characters on, a secret does not turn up in a text by chance. Those of Amazon have 16 and more. */
const unmistakableLengthMin = 12;

/**
A text for a reply or a log in which the credentials, plain or in base64, are blotted out should they have got
there. A short one, as development servers have them ("dev"), only where it stands alone: a "device" is none.
*/
export const redactSecrets = (text: string, credentials: SecretCredentials | undefined): string => {
	let redacted = text;
	for (const secret of [credentials?.secretAccessKey, credentials?.sessionToken, credentials?.accessKeyId]) {
		if (secret !== undefined && secret !== '') {
			redacted = blotOut(blotOut(redacted, secret), Buffer.from(secret).toString('base64'));
		}
	}

	return redacted;
};

const blotOut = (text: string, secret: string): string =>
	secret.length >= unmistakableLengthMin
		? text.replaceAll(secret, '[secret]')
		: text.replaceAll(
				new RegExp(
					`(?<![\\p{L}\\p{N}])${secret.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`)}(?![\\p{L}\\p{N}])`,
					'gu',
				),
				'[secret]',
			);
