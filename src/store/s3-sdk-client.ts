import {Agent as HttpAgent} from 'node:http';
import {Agent as HttpsAgent} from 'node:https';
import {S3Client} from '@aws-sdk/client-s3';
import {guardedLookup} from './guarded-lookup.ts';
import type {S3Credentials} from './s3-signer.ts';

/** Where a server is, and who asks it. */
export type S3Place = {
	readonly region: string;
	/** Empty or absent: the AWS endpoint of the region. */
	readonly endpoint?: string | undefined;
	readonly pathStyle?: boolean | undefined;
	/** Absent: the SDK's default chain (environment, files, web identity, instance role). */
	readonly credentials?: S3Credentials | undefined;
	/** No connection is made to this node itself or to its metadata service, whatever the endpoint's name leads to. */
	readonly isLocalRefused?: boolean | undefined;
};

/**
The SDK's client, for calls on buckets, for the rules of addresses and for the default credentials. Its settings are
those of our options, never those of the environment. It tries nothing twice and corrects no clock: we do the one,
and report the other.
*/
export const createSdkClient = ({
	region,
	endpoint = '',
	pathStyle = false,
	credentials,
	isLocalRefused = false,
}: S3Place): S3Client =>
	new S3Client({
		region,
		forcePathStyle: pathStyle,
		ignoreConfiguredEndpointUrls: true,
		maxAttempts: 1,
		disableClockSkewCorrection: true,
		// Small servers refuse the checksums that nobody asked for.
		requestChecksumCalculation: 'WHEN_REQUIRED',
		responseChecksumValidation: 'WHEN_REQUIRED',
		...(isLocalRefused
			? {
					requestHandler: {
						httpAgent: new HttpAgent({keepAlive: true, lookup: guardedLookup}),
						httpsAgent: new HttpsAgent({keepAlive: true, lookup: guardedLookup}),
					},
				}
			: {}),
		...(endpoint === '' ? {} : {endpoint}),
		...(credentials === undefined ? {} : {credentials: toIdentity(credentials)}),
	});

const toIdentity = ({accessKeyId, secretAccessKey, sessionToken}: S3Credentials) => ({
	accessKeyId,
	secretAccessKey,
	...(sessionToken === undefined ? {} : {sessionToken}),
});
