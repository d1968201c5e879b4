/** Takes the lock of its argument, prints `locked`, and holds it until it is killed. */
import {setTimeout as delay} from 'node:timers/promises';
import {createDeadline} from '../../../../src/node/deadline.ts';
import {withLock} from '../../../../src/node/host/file-lock.ts';

await withLock({path: process.argv[2] ?? '', what: 'the test', deadline: createDeadline(300_000)}, async () => {
	process.stdout.write('locked\n');
	await delay(60_000);
});
