import {CallOutError} from './parse-call-out.ts';

/** Credentials as a Kubernetes Secret carries them. */
export type SecretCredentials = {
	readonly accessKeyId: string;
	readonly secretAccessKey: string;
	readonly sessionToken?: string | undefined;
};

/** The spellings of each field, ours first. */
const spellings = {
	accessKeyId: ['access-key-id', 'accessKeyID', 'accessKeyId', 'accessKey', 'AWS_ACCESS_KEY_ID'],
	secretAccessKey: ['secret-access-key', 'secretAccessKey', 'secretKey', 'AWS_SECRET_ACCESS_KEY'],
	sessionToken: ['session-token', 'sessionToken', 'AWS_SESSION_TOKEN'],
} as const satisfies Record<keyof SecretCredentials, readonly string[]>;

/**
Reads the keys of a Secret (values in base64). No Secret: `undefined`. A Secret without both keys is an error rather
than a silent fall-back to the node's own credentials. Keys that we do not know are left alone. No message quotes a
value.
*/
export const parseSecrets = (secrets: Readonly<Record<string, string>>): SecretCredentials | undefined => {
	if (Object.keys(secrets).length === 0) {
		return undefined;
	}

	const accessKeyId = parseField(secrets, 'accessKeyId');
	const secretAccessKey = parseField(secrets, 'secretAccessKey');
	const sessionToken = parseField(secrets, 'sessionToken');
	if (accessKeyId === undefined || secretAccessKey === undefined) {
		const missing = accessKeyId === undefined ? spellings.accessKeyId[0] : spellings.secretAccessKey[0];
		throw new CallOutError(
			`The Secret of the volume has no key "${missing}"; it needs "${spellings.accessKeyId[0]}" and "${spellings.secretAccessKey[0]}"`,
		);
	}

	return {accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : {sessionToken})};
};

const parseField = (secrets: Readonly<Record<string, string>>, field: keyof SecretCredentials): string | undefined => {
	let found: {key: string; value: string} | undefined;
	for (const key of spellings[field]) {
		const encoded = Object.hasOwn(secrets, key) ? secrets[key] : undefined;
		if (encoded === undefined) {
			continue;
		}

		const value = decode(key, encoded);
		if (found !== undefined && found.value !== value) {
			throw new CallOutError(
				`The Secret of the volume has two different values in "${found.key}" and "${key}"; keep one of them`,
			);
		}

		found ??= {key, value};
	}

	return found?.value;
};

const decode = (key: string, encoded: string): string => {
	if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(encoded)) {
		throw new CallOutError(
			`Key "${key}" of the volume's Secret is not base64, the form in which the kubelet passes it`,
		);
	}

	// `echo key | base64` puts a line break into many a Secret; no credential has white space at its ends.
	const value = Buffer.from(encoded, 'base64').toString('utf8').trim();
	if (value === '') {
		throw new CallOutError(`Key "${key}" of the volume's Secret is empty`);
	}

	if (/[\0-\u001F\u007F-\uFFFF]/.test(value)) {
		throw new CallOutError(
			`Key "${key}" of the volume's Secret holds characters that no AWS credential has; was it base64-encoded twice, or cut?`,
		);
	}

	return value;
};
