/** What it costs to read the small files of a directory one after the other. */
import test, {type ExecutionContext} from 'ava';
import {forEachParallel} from '../../../src/model/semaphore.ts';
import {startMountedNodes} from '../semantics/support/mounted-nodes.ts';
import {measureRequests, type RequestCost} from '../support/request-cost.ts';

const fileCount = 100;

/** Reads all files of fresh directories, until one try fits: a busy machine makes a chain look longer than it is. */
const measure = async (
	t: ExecutionContext,
	{consistency, chainMax}: {consistency: string; chainMax: number},
): Promise<RequestCost> => {
	const nodes = await startMountedNodes({count: 1, options: {'metadata-ttl': '1h', consistency}});
	const program = nodes.a.start();
	try {
		let best: RequestCost | undefined;
		for (const [attempt, latencyMs] of [50, 200, 800].entries()) {
			if (best !== undefined && best.chain <= chainMax) {
				break;
			}

			const top = `top-${attempt}`;
			const names = Array.from({length: fileCount}, (_, index) => String(index).padStart(3, '0'));
			await nodes.bucket.put(`${top}/`, new Uint8Array());
			await forEachParallel(names, 16, async name => {
				await nodes.bucket.put(`${top}/${name}`, Buffer.alloc(1000, name));
			});
			await program.run(`os.stat(at('${top}')).st_mode`);
			let wrong: unknown;
			const cost = await measureRequests(nodes.server, {
				latencyMs,
				task: async () => {
					wrong = await program.run(
						`[name for name in sorted(os.listdir(at('${top}'))) if read('${top}/' + name)[:6] != (name * 2).encode()]`,
					);
				},
			});
			t.deepEqual(wrong, []);
			t.log(`${consistency}: ${cost.requests} / ${cost.chain}`);
			best = best === undefined || cost.chain < best.chain ? cost : best;
		}

		return best!; // There was a try.
	} finally {
		await program.close();
		await nodes.close();
	}
};

test('with consistency: close-to-open each file costs one request, which brings its bytes', async t => {
	t.timeout(900_000);
	const {requests, text} = await measure(t, {consistency: 'close-to-open', chainMax: fileCount + 1});
	t.is(requests, fileCount + 1, text);
});

test('with consistency: ttl the files that come next are fetched ahead, whole, with one request each', async t => {
	t.timeout(900_000);
	const {requests, chain, text} = await measure(t, {consistency: 'ttl', chainMax: 8});
	t.true(requests <= fileCount + 3, text);
	t.true(chain <= 8, `${chain}\n${text}`);
});
