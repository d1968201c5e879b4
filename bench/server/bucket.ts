import {DeleteBucketCommand, S3Client} from '@aws-sdk/client-s3';
import {forEachParallel} from '../../src/model/semaphore.ts';
import {parseVolumeOptions} from '../../src/model/volume-options.ts';
import type {ObjectStore} from '../../src/store/object-store.ts';
import {provisionBucket} from '../../src/store/provision-bucket.ts';
import {createS3ObjectStore} from '../../src/store/s3-object-store.ts';
import type {Endpoint} from './s3-server.ts';

const requestsAtOnce = 16;

/** A bucket of the benchmark, used past every file system and without the delay. */
export class Bucket {
	readonly name: string;
	readonly #endpoint: Endpoint;
	readonly #store: ObjectStore;

	private constructor(name: string, endpoint: Endpoint) {
		this.name = name;
		this.#endpoint = endpoint;
		this.#store = createS3ObjectStore({
			bucket: name,
			keyPrefix: '',
			region: endpoint.region,
			endpoint: endpoint.url,
			pathStyle: true,
			timeoutMs: 30_000,
			credentials: endpoint,
		});
	}

	static async create(name: string, endpoint: Endpoint): Promise<Bucket> {
		const {url, region} = endpoint;
		await provisionBucket({
			options: parseVolumeOptions({name, region, endpoint: url, 'path-style': 'true', versioning: 'false'}),
			credentials: endpoint,
		});
		return new Bucket(name, endpoint);
	}

	/** Makes objects of 4 bytes, as another S3 tool would: without metadata, and directories without markers. */
	async fill(keys: readonly string[]): Promise<void> {
		const body = Buffer.from('abcd');
		await forEachParallel(keys, requestsAtOnce, async key => {
			await this.#store.put(key, body);
		});
	}

	/** Deletes every object below a prefix. */
	async empty(prefix: string): Promise<void> {
		for (;;) {
			const {objects} = await this.#store.list({prefix});
			if (objects.length === 0) {
				return;
			}

			const failed = await this.#store.deleteMany(objects.map(({key}) => ({key})));
			if (failed[0] !== undefined) {
				throw new Error(`Cannot delete ${failed[0].key} of ${this.name}: ${failed[0].error.message}`);
			}
		}
	}

	/** Deletes the bucket with all that is in it. */
	async remove(): Promise<void> {
		await this.empty('');
		await this.#store.close();
		const client = new S3Client({
			...this.#endpoint,
			endpoint: this.#endpoint.url,
			forcePathStyle: true,
			credentials: this.#endpoint,
		});
		try {
			await client.send(new DeleteBucketCommand({Bucket: this.name}));
		} finally {
			client.destroy();
		}
	}
}
