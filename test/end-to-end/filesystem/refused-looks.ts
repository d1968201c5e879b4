/** What S3 refuses for a moment must not cost what was acknowledged. */
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {drain} from '../faults/support/drain.ts';
import {startMountedNodes} from '../semantics/support/mounted-nodes.ts';
import {fuse, root, testThatNeeds} from '../../support/needs.ts';

testThatNeeds(fuse, root).serial(
	'an append that was acknowledged is not put aside when S3 refuses to say what has replaced the file',
	async t => {
		const nodes = await startMountedNodes({count: 1, options: {durability: 'journal'}});
		t.teardown(async () => nodes.close());
		const {a, server, bucket} = nodes;
		await a.shell('echo first >log');
		await drain(a);
		await server.clearRequests();
		await server.setFaults({holds: [{operation: 'PutObject', count: 1}]});
		await a.shell('echo second >>log');
		while ((await server.countRequests({operation: 'PutObject'})) === 0) {
			await delay(20);
		}

		await bucket.put('log', Buffer.from('first\nother\n'));
		// The node finds its condition broken and looks: its credentials have expired. With the next request they are new.
		await server.setFaults({errors: [{operation: 'HeadObject', status: 400, code: 'ExpiredToken', count: 1}]});
		await drain(a);
		t.is(await a.shell('cat log'), 'first\nother\nsecond\n');
		t.false(existsSync(join(a.volumeDirectory, 'staging', 'failed')));
	},
);
