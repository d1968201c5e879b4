import {setTimeout as delay} from 'node:timers/promises';
import {StoreError, type StoreErrorCode} from '../../../src/model/store-error.ts';
import {toAbortedError, throwIfAborted} from '../../../src/store/abort.ts';
import type {
	ByteRange,
	CopyRequest,
	CopySource,
	DeletedObject,
	GetRequest,
	GetResult,
	ListPage,
	ListRequest,
	MultipartUpload,
	ObjectHead,
	ObjectStore,
	PutRequest,
	PutResult,
	UploadedPart,
	WriteAttributes,
	WriteCondition,
} from '../../../src/store/object-store.ts';

type StoreMethod = Exclude<keyof ObjectStore, 'close'>;

type StoreCall = {
	readonly method: StoreMethod;
	/** The key written, read or deleted; the prefix of a listing; the first key of `deleteMany`. */
	readonly key: string;
};

/**
What goes wrong, and for which calls. Without `error`, `delayMs`, `isBlocked` and `bodyBytesMax` the calls are only
counted.
*/
type Fault = {
	/** Default: all methods. */
	readonly method?: StoreMethod | readonly StoreMethod[];
	/** A key, or what it must satisfy. Default: all keys. */
	readonly key?: string | ((key: string) => boolean);
	/** How many calls pass before the first that is hit. Default: 0. */
	readonly skipCount?: number;
	/** How many calls are hit. Default: all. */
	readonly countMax?: number;
	/** What the call fails with. */
	readonly error?: StoreErrorCode | Error;
	/** `after`: the call is carried out first, and then waits or fails: its answer is late or lost. Default: `before`. */
	readonly when?: 'before' | 'after';
	/** How long the call waits first. */
	readonly delayMs?: number;
	/** The call waits until `release()`, or its signal aborts it; then it goes on (or fails with `error`). */
	readonly isBlocked?: boolean;
	/** `get` only: the body breaks with `unavailable` (or `error`) after this many bytes instead of the call. */
	readonly bodyBytesMax?: number;
};

type InjectedFault = {
	/** How many calls it has hit. */
	readonly hitCount: number;
	/** Settles when the first call is hit (a blocked one: is waiting). */
	readonly reached: Promise<void>;
	/** Lets the blocked calls go on, and all later ones pass without waiting. */
	release(): void;
	/** Ends the fault, and releases what it blocks. */
	remove(): void;
};

/** Wraps any object store into one that fails, delays and blocks on command. */
export const createFaultyObjectStore = (inner: ObjectStore): FaultyObjectStore => new FaultyObjectStore(inner);

export class FaultyObjectStore implements ObjectStore {
	/** Every call in order, also those that failed. */
	readonly calls: StoreCall[] = [];
	readonly #inner: ObjectStore;
	readonly #faults = new Set<ActiveFault>();

	constructor(inner: ObjectStore) {
		this.#inner = inner;
	}

	/** From now on; several faults may hit the same call, in the order of their injection. */
	inject(fault: Fault): InjectedFault {
		const active = new ActiveFault(fault, () => this.#faults.delete(active));
		this.#faults.add(active);
		return active;
	}

	/** Ends all faults. */
	heal(): void {
		for (const fault of this.#faults) {
			fault.remove();
		}
	}

	/** How often these methods were called; without one, all calls. */
	callCount(...methods: readonly StoreMethod[]): number {
		return methods.length === 0 ? this.calls.length : this.calls.filter(call => methods.includes(call.method)).length;
	}

	head(key: string, options?: CallOptions): Promise<ObjectHead | undefined> {
		return this.#call({method: 'head', key}, options, () => this.#inner.head(key, options));
	}

	async get(key: string, request?: GetRequest): Promise<GetResult | undefined> {
		return this.#call({method: 'get', key}, request, () => this.#inner.get(key, request));
	}

	list(request: ListRequest): Promise<ListPage> {
		return this.#call({method: 'list', key: request.prefix}, request, () => this.#inner.list(request));
	}

	put(key: string, body: Uint8Array | readonly Uint8Array[], request?: PutRequest): Promise<PutResult> {
		return this.#call({method: 'put', key}, request, () => this.#inner.put(key, body, request));
	}

	copy(source: CopySource, key: string, request?: CopyRequest): Promise<PutResult> {
		return this.#call({method: 'copy', key}, request, () => this.#inner.copy(source, key, request));
	}

	delete(key: string, options?: CallOptions & {ifMatch?: string | undefined}): Promise<void> {
		return this.#call({method: 'delete', key}, options, () => this.#inner.delete(key, options));
	}

	deleteMany(
		objects: readonly DeletedObject[],
		options?: CallOptions,
	): Promise<ReadonlyArray<{key: string; error: Error}>> {
		return this.#call({method: 'deleteMany', key: objects[0]?.key ?? ''}, options, () =>
			this.#inner.deleteMany(objects, options),
		);
	}

	createMultipartUpload(key: string, request?: WriteAttributes & CallOptions): Promise<MultipartUpload> {
		return this.#call({method: 'createMultipartUpload', key}, request, () =>
			this.#inner.createMultipartUpload(key, request),
		);
	}

	uploadPart(
		upload: MultipartUpload,
		partNumber: number,
		body: Uint8Array | readonly Uint8Array[],
		options?: CallOptions,
	): Promise<UploadedPart> {
		return this.#call({method: 'uploadPart', key: upload.key}, options, () =>
			this.#inner.uploadPart(upload, partNumber, body, options),
		);
	}

	uploadPartCopy(
		upload: MultipartUpload,
		partNumber: number,
		source: CopySource,
		range: ByteRange,
		options?: CallOptions,
	): Promise<UploadedPart> {
		return this.#call({method: 'uploadPartCopy', key: upload.key}, options, () =>
			this.#inner.uploadPartCopy(upload, partNumber, source, range, options),
		);
	}

	completeMultipartUpload(
		upload: MultipartUpload,
		parts: readonly UploadedPart[],
		condition?: WriteCondition & CallOptions,
	): Promise<PutResult> {
		return this.#call({method: 'completeMultipartUpload', key: upload.key}, condition, () =>
			this.#inner.completeMultipartUpload(upload, parts, condition),
		);
	}

	abortMultipartUpload(upload: MultipartUpload, options?: CallOptions): Promise<void> {
		return this.#call({method: 'abortMultipartUpload', key: upload.key}, options, () =>
			this.#inner.abortMultipartUpload(upload, options),
		);
	}

	close(): Promise<void> {
		return this.#inner.close();
	}

	async #call<Result>(
		call: StoreCall,
		options: CallOptions | undefined,
		perform: () => Promise<Result>,
	): Promise<Result> {
		this.calls.push(call);
		throwIfAborted(describe(call), options?.signal);
		const hits = [...this.#faults].filter(fault => fault.takes(call));
		await waitForAll(hits, call, 'before', options?.signal);
		throwFirst(hits, call, 'before');
		const result = await perform();
		await waitForAll(hits, call, 'after', options?.signal);
		throwFirst(hits, call, 'after');
		const bodyFault = hits.find(hit => hit.fault.bodyBytesMax !== undefined);
		return bodyFault === undefined ? result : breakBody(result, call, bodyFault.fault);
	}
}

type CallOptions = {readonly signal?: AbortSignal | undefined};

class ActiveFault implements InjectedFault {
	readonly fault: Fault;
	readonly reached: Promise<void>;
	readonly #released: Promise<void>;
	readonly #onRemove: () => void;
	#markReached!: () => void; // Set by the constructor, as promises call their executor at once.
	#release!: () => void;
	#matchCount = 0;
	#hitCount = 0;

	constructor(fault: Fault, onRemove: () => void) {
		this.fault = fault;
		this.#onRemove = onRemove;
		this.reached = new Promise(resolve => {
			this.#markReached = resolve;
		});
		this.#released = new Promise(resolve => {
			this.#release = resolve;
		});
	}

	get hitCount(): number {
		return this.#hitCount;
	}

	/** Whether this call is hit; counts it. */
	takes({method, key}: StoreCall): boolean {
		const {
			method: methods = method,
			key: wanted = key,
			skipCount = 0,
			countMax = Number.POSITIVE_INFINITY,
		} = this.fault;
		const isMatch = [methods].flat().includes(method) && (typeof wanted === 'function' ? wanted(key) : wanted === key);
		if (!isMatch || ++this.#matchCount <= skipCount || this.#hitCount >= countMax) {
			return false;
		}

		this.#hitCount++;
		return true;
	}

	async waitFor(call: StoreCall, signal: AbortSignal | undefined): Promise<void> {
		this.#markReached();
		const waits = [
			...(this.fault.delayMs === undefined ? [] : [delay(this.fault.delayMs)]),
			...(this.fault.isBlocked === true ? [this.#released] : []),
		];
		if (waits.length > 0) {
			await unlessAborted(Promise.all(waits), call, signal);
		}
	}

	release(): void {
		this.#release();
	}

	remove(): void {
		this.#onRemove();
		this.#release();
	}
}

const describe = ({method, key}: StoreCall): string => `${method} "${key}"`;

const waitForAll = async (
	hits: readonly ActiveFault[],
	call: StoreCall,
	when: 'before' | 'after',
	signal: AbortSignal | undefined,
): Promise<void> => {
	for (const hit of hits) {
		if ((hit.fault.when ?? 'before') === when) {
			await hit.waitFor(call, signal);
		}
	}
};

const throwFirst = (hits: readonly ActiveFault[], call: StoreCall, when: 'before' | 'after'): void => {
	for (const {fault} of hits) {
		if (fault.error !== undefined && fault.bodyBytesMax === undefined && (fault.when ?? 'before') === when) {
			throw toError(fault, call);
		}
	}
};

const toError = ({error = 'unavailable'}: Fault, call: StoreCall): Error =>
	error instanceof Error ? error : new StoreError(error, `Cannot ${describe(call)}: failed on command (${error})`);

const unlessAborted = async (
	wait: Promise<unknown>,
	call: StoreCall,
	signal: AbortSignal | undefined,
): Promise<void> => {
	if (signal === undefined) {
		await wait;
		return;
	}

	let onAbort!: () => void; // Set by the executor below, which runs at once.
	const aborted = new Promise<never>((_resolve, reject) => {
		onAbort = () => {
			reject(toAbortedError(describe(call), signal));
		};
		signal.addEventListener('abort', onAbort);
	});
	try {
		await Promise.race([wait, aborted]);
	} finally {
		signal.removeEventListener('abort', onAbort);
	}
};

const breakBody = <Result>(result: Result, call: StoreCall, fault: Fault): Result => {
	if (typeof result !== 'object' || result === null || !('body' in result)) {
		return result;
	}

	return {...result, body: breakAfter((result as unknown as GetResult).body, call, fault)};
};

async function* breakAfter(body: AsyncIterable<Uint8Array>, call: StoreCall, fault: Fault): AsyncGenerator<Uint8Array> {
	let leftBytes = fault.bodyBytesMax ?? 0;
	for await (const piece of body) {
		if (piece.length > leftBytes) {
			if (leftBytes > 0) {
				yield piece.subarray(0, leftBytes);
			}

			throw toError(fault, call);
		}

		leftBytes -= piece.length;
		yield piece;
	}
}
