import {GetObjectCommand, ListObjectsV2Command, type S3Client} from '@aws-sdk/client-s3';
import {createHash} from 'node:crypto';
import type {PodVolume} from './kubelet-stand-in.ts';
import {fileSha256} from './file-bytes.ts';
import type {PodPrograms} from './pod-programs.ts';
import {recordedMountJson} from './recorded-mount.ts';

export type StormVolume = {
	readonly bucket: string;
	readonly options: Readonly<Record<string, string>>;
	/** Which of the recorded calls its pods make. */
	readonly recording: 'static-pod' | 'deployment-of-three';
};

type Server = {
	readonly endpoint: string;
	readonly credentials: {readonly accessKeyId: string; readonly secretAccessKey: string};
};

/**
Volumes of buckets that the first mount creates; every other one answers a close() when its journal has the bytes.
*/
export const createStormVolumes = (
	server: Server,
	count: number,
	options: Readonly<Record<string, string>> = {},
): StormVolume[] =>
	Array.from({length: count}, (_, index) => ({
		bucket: `storm-${index}`,
		recording: index % 2 === 0 ? 'static-pod' : 'deployment-of-three',
		options: {
			endpoint: server.endpoint,
			'path-style': 'true',
			memory: '64MiB',
			durability: index % 2 === 0 ? 'close' : 'journal',
			'kubernetes.io/secret/accessKey': base64(server.credentials.accessKeyId),
			'kubernetes.io/secret/secretKey': base64(server.credentials.secretAccessKey),
			...options,
		},
	}));

let podCount = 0;

/** A pod that nobody has seen before. */
export const createPod = (
	{bucket, options, recording}: StormVolume,
	more: Readonly<Record<string, string>> = {},
): PodVolume => {
	const podUid = `${(++podCount).toString(16).padStart(8, '0')}-6e90-4e6a-841c-1b10d6c80660`;
	const volumeName = recording === 'static-pod' ? 'v' : 'pv-1';
	return {
		podUid,
		volumeName,
		optionsJson: recordedMountJson(recording, volumeName, {
			...options,
			name: bucket,
			'kubernetes.io/pod.uid': podUid,
			'kubernetes.io/pod.name': `storm-${podCount}`,
			...more,
		}),
	};
};

export type WrittenFiles = {
	/** Whether the file's close() has succeeded. */
	readonly write: (directory: string, bucket: string, name: string, byteCount: number) => Promise<boolean>;
	readonly acknowledgedNames: (bucket: string) => string[];
	/** What of a bucket's acknowledged files is missing or wrong, as a pod sees it; all of them, or those named. */
	readonly wrongInPod: (directory: string, bucket: string, names?: readonly string[]) => Promise<string[]>;
	readonly wrongInBucket: (client: S3Client, bucket: string) => Promise<string[]>;
	readonly counts: {acknowledged: number; refused: number};
};

/**
Remembers every file whose close() has succeeded, and what it must hold: its last acknowledged bytes, or those of a
later attempt.
*/
export const createWrittenFiles = (programs: PodPrograms): WrittenFiles => {
	const allowed = new Map<string, Map<string, string[]>>();
	const counts = {acknowledged: 0, refused: 0};
	let version = 0;
	const filesOf = (bucket: string): Map<string, string[]> => {
		const files = allowed.get(bucket) ?? new Map<string, string[]>();
		allowed.set(bucket, files);
		return files;
	};

	const verdict = (bucket: string, name: string, sha256: string | Error): string[] => {
		const expected = filesOf(bucket).get(name) ?? [];
		return typeof sha256 === 'string' && expected.includes(sha256)
			? []
			: [`${bucket}/${name}: ${sha256 instanceof Error ? sha256.message : 'not the bytes that were written'}`];
	};

	return {
		counts,
		async write(directory, bucket, name, byteCount) {
			const seed = `${bucket}/${name}#${++version}`;
			const sha256 = fileSha256(seed, byteCount);
			const files = filesOf(bucket);
			const before = files.get(name);
			if (before !== undefined) {
				before.push(sha256);
			}

			try {
				await programs.run({does: 'write', path: `${directory}/${name}`, seed, byteCount});
				files.set(name, [sha256]);
				counts.acknowledged++;
				return true;
			} catch {
				counts.refused++;
				return false;
			}
		},
		acknowledgedNames: bucket => [...filesOf(bucket).keys()],
		async wrongInPod(directory, bucket, names = [...filesOf(bucket).keys()]) {
			const verdicts = await Promise.all(
				names.map(async name =>
					verdict(
						bucket,
						name,
						await programs.run({does: 'read', path: `${directory}/${name}`}).then(
							({sha256}) => sha256 ?? '',
							(error: unknown) => error as Error,
						),
					),
				),
			);
			return verdicts.flat();
		},
		async wrongInBucket(client, bucket) {
			const keys = new Set<string>();
			let token: string | undefined;
			do {
				const page = await client.send(
					new ListObjectsV2Command({Bucket: bucket, ...(token === undefined ? {} : {ContinuationToken: token})}),
				);
				page.Contents?.forEach(({Key}) => keys.add(Key ?? ''));
				token = page.NextContinuationToken;
			} while (token !== undefined);

			const wrong: string[] = [];
			for (const name of filesOf(bucket).keys()) {
				const bytes = keys.has(name)
					? await (await client.send(new GetObjectCommand({Bucket: bucket, Key: name}))).Body?.transformToByteArray()
					: undefined;
				wrong.push(
					...verdict(
						bucket,
						name,
						bytes === undefined ? new Error('is not in the bucket') : createHash('sha256').update(bytes).digest('hex'),
					),
				);
			}

			return wrong;
		},
	};
};

const base64 = (text: string): string => Buffer.from(text).toString('base64');
