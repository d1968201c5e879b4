import {messageOf, toOneLine} from '../model/error-text.ts';
import type {VolumeOptions} from '../model/volume-options.ts';
import type {Check} from './check.ts';
import {createSdkClient} from '../store/s3-sdk-client.ts';

/** A server of credentials (instance role, web identity) that takes longer would fail mounts, too. */
const credentialsMs = 8000;

/** How the AWS SDK marks what it has found (`$source`), the most telling first, in the words of people. */
const sources: ReadonlyArray<readonly [RegExp, string]> = [
	[/WEB_ID/, 'a web identity token'],
	[/SSO/, 'single sign-on'],
	[/PROCESS/, 'a credential process of a profile'],
	[/ASSUME_ROLE/, 'an assumed role'],
	[/PROFILE/, 'a profile in the AWS files'],
	[/IMDS/, 'the role of this machine'],
	[/HTTP/, 'the credential server of the container'],
	[/ENV_VARS/, 'environment variables'],
];

/** Whether there are any credentials, and where they are from; never what they are. */
export const checkCredentials = async ({region, endpoint, pathStyle}: VolumeOptions): Promise<Check> => {
	const client = createSdkClient({region, endpoint, pathStyle});
	const {promise: late, reject} = Promise.withResolvers<never>();
	const timer = setTimeout(
		() => reject(new Error(`the source of credentials did not answer within ${credentialsMs / 1000} s`)),
		credentialsMs,
	);
	try {
		const identity = await Promise.race([client.config.credentials(), late]);
		return judgeCredentials({
			source: Object.keys(('$source' in identity ? identity.$source : undefined) ?? {}),
			expiresAtMs: identity.expiration?.getTime(),
			nowMs: Date.now(),
		});
	} catch (error) {
		const reason = toOneLine(messageOf(error));
		return {
			name: 'credentials',
			status: 'failed',
			found: `none found: ${reason}`,
			remedy:
				'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or give the machine a role; a pod gets its own from its secretRef',
		};
	} finally {
		clearTimeout(timer);
		client.destroy();
	}
};

/** `source`: the names of the SDK's marks. */
export const judgeCredentials = ({
	source,
	expiresAtMs,
	nowMs,
}: {
	source: readonly string[];
	expiresAtMs: number | undefined;
	nowMs: number;
}): Check => {
	const place =
		sources.find(([pattern]) => source.some(mark => pattern.test(mark)))?.[1] ?? 'the default chain of the AWS SDK';
	return expiresAtMs !== undefined && expiresAtMs <= nowMs
		? {
				name: 'credentials',
				status: 'failed',
				found: `the credentials from ${place} expired at ${new Date(expiresAtMs).toISOString()}`,
				remedy: 'renew them, or sign in again',
			}
		: {
				name: 'credentials',
				status: 'ok',
				found: `from ${place}${expiresAtMs === undefined ? '' : `, until ${new Date(expiresAtMs).toISOString()}`}`,
			};
};
