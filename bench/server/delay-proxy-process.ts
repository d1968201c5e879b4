// A delay proxy as a process of its own, so that it takes no time of whom it stands before: `fork` it with its options
// as JSON. It sends its port, answers each message `read` or `reset` with the counts so far, and ends with its parent.
import {startDelayProxy, type DelayProxyOptions} from './delay-proxy.ts';

const proxy = await startDelayProxy(JSON.parse(process.argv[2]!) as DelayProxyOptions);
process.on('disconnect', () => process.exit());
process.on('message', request => {
	process.send?.(proxy.meter.read());
	if (request === 'reset') {
		proxy.meter.reset();
	}
});
process.send?.({port: proxy.port});
