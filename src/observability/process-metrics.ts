import type {Metrics} from './metrics.ts';

const delayIntervalMs = 500;

/**
What this process costs, and how late its event loop is. The delay is looked at twice a second by a timer of ours:
what perf_hooks has for it keeps one distribution that every reader would have to reset, while ours only grows, so
that several may read it.
*/
export const startProcessMetrics = (metrics: Metrics): {close: () => void} => {
	const startSeconds = performance.timeOrigin / 1000;
	metrics.addReader(add => {
		const {rss, heapUsed, external} = process.memoryUsage();
		const {user, system} = process.cpuUsage();
		add('pnx_volume_daemon_resident_bytes', rss);
		add('pnx_volume_daemon_heap_bytes', heapUsed);
		add('pnx_volume_daemon_external_bytes', external);
		add('pnx_volume_daemon_cpu_seconds_total', user / 1e6, {mode: 'user'});
		add('pnx_volume_daemon_cpu_seconds_total', system / 1e6, {mode: 'system'});
		add('pnx_volume_daemon_start_time_seconds', startSeconds);
	});

	const delay = metrics.histogram('pnx_volume_daemon_event_loop_delay_seconds');
	let expectedMs = performance.now() + delayIntervalMs;
	const timer = setInterval(() => {
		const now = performance.now();
		delay.observe(Math.max(0, now - expectedMs) / 1000);
		expectedMs = now + delayIntervalMs;
	}, delayIntervalMs);
	timer.unref();
	return {
		close() {
			clearInterval(timer);
		},
	};
};
