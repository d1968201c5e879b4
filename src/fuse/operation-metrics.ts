import {noMetrics, type Counter, type Histogram, type MetricSink} from '../model/metric-sink.ts';

/**
`refused`: an ordinary answer to an ordinary question, such as ENOENT. `failed`: something went wrong, such as EIO.
*/
export type OperationResult = 'ok' | 'refused' | 'failed';

type Instruments = {readonly duration: Histogram; readonly results: Readonly<Record<OperationResult, Counter>>};

/**
Counts the operations of the kernel by their names. What it needs for one is made when the first of its name ends.
*/
export class OperationMetrics {
	/** Bytes that programs read and wrote. */
	readonly readBytes: Counter;
	readonly writtenBytes: Counter;
	readonly #sink: MetricSink;
	readonly #byName = new Map<string, Instruments>();

	constructor(sink: MetricSink = noMetrics) {
		this.#sink = sink;
		this.readBytes = sink.counter('pnx_volume_read_bytes_total');
		this.writtenBytes = sink.counter('pnx_volume_written_bytes_total');
	}

	note(operation: string, result: OperationResult, durationMs: number): void {
		let instruments = this.#byName.get(operation);
		if (instruments === undefined) {
			instruments = this.#create(operation);
			this.#byName.set(operation, instruments);
		}

		instruments.results[result].value++;
		instruments.duration.observe(durationMs / 1000);
	}

	#create(operation: string): Instruments {
		const counter = (result: OperationResult): Counter =>
			this.#sink.counter('pnx_volume_fuse_operations_total', {operation, result});
		return {
			duration: this.#sink.histogram('pnx_volume_fuse_operation_duration_seconds', {operation}),
			// All three at once: a rate can only be told of what was there before, be it 0.
			results: {ok: counter('ok'), refused: counter('refused'), failed: counter('failed')},
		};
	}
}
