import type {SecretCredentials} from './parse-secrets.ts';

/** A text for a reply or a log in which the credentials, plain or in base64, are blotted out should they have got there. */
export const redactSecrets = (text: string, credentials: SecretCredentials | undefined): string => {
	let redacted = text;
	for (const secret of [credentials?.secretAccessKey, credentials?.sessionToken, credentials?.accessKeyId]) {
		if (secret !== undefined && secret !== '') {
			redacted = redacted.replaceAll(secret, '[secret]').replaceAll(Buffer.from(secret).toString('base64'), '[secret]');
		}
	}

	return redacted;
};
