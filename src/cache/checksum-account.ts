import {type Counter, type MetricSink, noMetrics} from '../model/metric-sink.ts';

/** How much of what came from S3 could be compared with a checksum, since the start. */
export type ChecksumStatus = {
	/** `none`: something came, and nothing of it had one. */
	readonly state: 'all' | 'none' | 'some';
	readonly comparedBytes: number;
	readonly otherBytes: number;
	/** What was not compared with a checksum, but came twice and was the same. */
	readonly twiceBytes?: number | undefined;
	/** The newest object without one. */
	readonly otherKey?: string | undefined;
};

/** Counts the bytes that come from S3 by whether there is a checksum of them. */
export class ChecksumAccount {
	/** Counts how often bytes came that do not have their checksum. */
	readonly damages: Counter;
	readonly #compared: Counter;
	readonly #other: Counter;
	readonly #twice: Counter;
	#otherKey: string | undefined;

	constructor(metrics: MetricSink = noMetrics) {
		this.damages = metrics.counter('pnx_volume_read_damages_total');
		this.#compared = metrics.counter('pnx_volume_read_fetched_bytes_total', {checksum: 'compared'});
		this.#other = metrics.counter('pnx_volume_read_fetched_bytes_total', {checksum: 'none'});
		this.#twice = metrics.counter('pnx_volume_read_fetched_bytes_total', {checksum: 'twice'});
	}

	/** So many bytes of an object have come, and go to their readers. */
	note(key: string, bytes: number, {isCompared}: {isCompared: boolean}): void {
		(isCompared ? this.#compared : this.#other).value += bytes;
		this.#otherKey = isCompared ? this.#otherKey : key;
	}

	/** So many bytes have come twice, and were the same. */
	noteTwice(bytes: number): void {
		this.#twice.value += bytes;
	}

	get status(): ChecksumStatus {
		const [comparedBytes, otherBytes] = [this.#compared.value, this.#other.value];
		const state = otherBytes === 0 ? 'all' : comparedBytes === 0 ? 'none' : 'some';
		return {state, comparedBytes, otherBytes, twiceBytes: this.#twice.value, otherKey: this.#otherKey};
	}
}
