import {noMetrics, type Counter, type MetricSink} from '../model/metric-sink.ts';

/** What the cache of blocks counts. */
export type CacheMetrics = {
	readonly memoryHits: Counter;
	readonly diskHits: Counter;
	readonly misses: Counter;
	readonly fetchedBlocks: Counter;
	readonly resumptions: Counter;
};

export const createCacheMetrics = (sink: MetricSink = noMetrics): CacheMetrics => ({
	memoryHits: sink.counter('pnx_volume_cache_hits_total', {tier: 'memory'}),
	diskHits: sink.counter('pnx_volume_cache_hits_total', {tier: 'disk'}),
	misses: sink.counter('pnx_volume_cache_misses_total'),
	fetchedBlocks: sink.counter('pnx_volume_cache_fetched_blocks_total'),
	resumptions: sink.counter('pnx_volume_read_resumptions_total'),
});
