import type {ExecutionContext} from 'ava';
import type {DevServer} from '../../src/dev-server/dev-server.ts';
import {isStoreError, type StoreError, type StoreErrorCode} from '../../src/model/store-error.ts';
import type {ObjectStore} from '../../src/store/object-store.ts';
import type {S3RequestEvent} from '../../src/store/s3-connection.ts';
import {createS3ObjectStore, type S3ObjectStoreOptions} from '../../src/store/s3-object-store.ts';
import {startTestDevServer} from './dev-server.ts';

type TestS3Store = {
	readonly store: ObjectStore;
	readonly server: DevServer;
	readonly bucket: string;
	/** What `onRequest` was told. */
	readonly events: S3RequestEvent[];
};

/** An S3 store on a server of its own. The server's request log begins empty. */
export const startTestS3Store = async (
	t: ExecutionContext,
	options: Partial<S3ObjectStoreOptions> = {},
): Promise<TestS3Store> => {
	const {server, endpoint, bucket, credentials} = await startTestDevServer(t);
	const events: S3RequestEvent[] = [];
	const store = createS3ObjectStore({
		bucket,
		region: 'us-east-1',
		endpoint,
		credentials,
		onRequest(event) {
			events.push(event);
		},
		...options,
	});
	t.teardown(async () => store.close());
	server.requests.clear();
	return {store, server, bucket, events};
};

/** Waits for the call to fail with this code; resolves with the error for a look at its words. */
export const throwsStoreError = async (
	t: ExecutionContext,
	code: StoreErrorCode,
	call: Promise<unknown>,
): Promise<StoreError> => {
	const error = await t.throwsAsync(call, {name: 'StoreError'});
	if (!isStoreError(error, code)) {
		throw new Error(`Expected a StoreError of code ${code}: got ${isStoreError(error) ? error.code : 'none'}`, {
			cause: error,
		});
	}

	return error;
};
