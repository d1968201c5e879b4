import type {Counter, Histogram, MetricSink} from '../model/metric-sink.ts';
import type {S3RequestEvent} from '../store/s3-connection.ts';

type Instruments = {
	readonly duration: Histogram;
	readonly retries: Counter;
	readonly throttled: Counter;
	readonly denied: Counter;
	readonly statuses: Map<string, Counter>;
};

/** Counts the attempts of requests to S3 by their operations. */
export class S3Metrics {
	readonly #sink: MetricSink;
	readonly #sentBytes: Counter;
	readonly #receivedBytes: Counter;
	readonly #byOperation = new Map<string, Instruments>();

	constructor(sink: MetricSink) {
		this.#sink = sink;
		this.#sentBytes = sink.counter('pnx_volume_s3_sent_bytes_total');
		this.#receivedBytes = sink.counter('pnx_volume_s3_received_bytes_total');
	}

	note({operation, status, durationMs, attempt, sentBytes, receivedBytes, isThrottled}: S3RequestEvent): void {
		let instruments = this.#byOperation.get(operation);
		if (instruments === undefined) {
			instruments = this.#create(operation);
			this.#byOperation.set(operation, instruments);
		}

		instruments.duration.observe(durationMs / 1000);
		this.#statusCounter(operation, instruments, toStatusClass(status)).value++;
		instruments.retries.value += attempt > 1 ? 1 : 0;
		instruments.throttled.value += isThrottled || status === 503 ? 1 : 0;
		instruments.denied.value += status === 401 || status === 403 ? 1 : 0;
		this.#sentBytes.value += sentBytes;
		this.#receivedBytes.value += receivedBytes;
	}

	#create(operation: string): Instruments {
		const counter = (name: string): Counter => this.#sink.counter(name, {operation});
		return {
			duration: this.#sink.histogram('pnx_volume_s3_request_duration_seconds', {operation}),
			retries: counter('pnx_volume_s3_retries_total'),
			throttled: counter('pnx_volume_s3_throttled_total'),
			denied: counter('pnx_volume_s3_denied_total'),
			// Those that alerts ask for are there from the first request on, be they 0.
			statuses: new Map(
				['2xx', '5xx', 'none'].map(status => [
					status,
					this.#sink.counter('pnx_volume_s3_requests_total', {operation, status}),
				]),
			),
		};
	}

	#statusCounter(operation: string, {statuses}: Instruments, status: string): Counter {
		let counter = statuses.get(status);
		if (counter === undefined) {
			counter = this.#sink.counter('pnx_volume_s3_requests_total', {operation, status});
			statuses.set(status, counter);
		}

		return counter;
	}
}

const toStatusClass = (status: number): string => (status === 0 ? 'none' : `${Math.floor(status / 100)}xx`);
