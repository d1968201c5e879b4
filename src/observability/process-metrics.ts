import type {Histogram} from '../model/metric-sink.ts';
import type {MetricReader, Metrics} from './metrics.ts';

const delayIntervalMs = 500;

/**
What this process costs, and how late its event loop is. The delay is looked at twice a second by a timer of ours:
what perf_hooks has for it keeps one distribution that every reader would have to reset, while ours only grows, so
that several may read it.
*/
export class ProcessMetrics {
	readonly #delay: Histogram;
	readonly #timer: NodeJS.Timeout;
	#expectedMs = performance.now() + delayIntervalMs;

	constructor(metrics: Metrics) {
		metrics.addReader(readProcess);
		this.#delay = metrics.histogram('pnx_volume_daemon_event_loop_delay_seconds');
		this.#timer = setInterval(() => this.#observeDelay(), delayIntervalMs);
		this.#timer.unref();
	}

	close(): void {
		clearInterval(this.#timer);
	}

	#observeDelay(): void {
		const now = performance.now();
		this.#delay.observe(Math.max(0, now - this.#expectedMs) / 1000);
		this.#expectedMs = now + delayIntervalMs;
	}
}

const readProcess: MetricReader = add => {
	const {rss, heapUsed, external} = process.memoryUsage();
	const {user, system} = process.cpuUsage();
	add('pnx_volume_daemon_resident_bytes', rss);
	add('pnx_volume_daemon_heap_bytes', heapUsed);
	add('pnx_volume_daemon_external_bytes', external);
	add('pnx_volume_daemon_cpu_seconds_total', user / 1e6, {mode: 'user'});
	add('pnx_volume_daemon_cpu_seconds_total', system / 1e6, {mode: 'system'});
	add('pnx_volume_daemon_start_time_seconds', performance.timeOrigin / 1000);
};
