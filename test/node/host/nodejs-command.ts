import test from 'ava';
import {toNodeCommand} from '../../../src/node/host/nodejs-command.ts';

test('toNodeCommand() is the program of this process, and in the packaged runtime the script that starts the loader', t => {
	t.is(toNodeCommand('/srv/node_modules/node/bin/node'), '/srv/node_modules/node/bin/node');
	t.is(
		toNodeCommand('/opt/pnx-volume/pnx-volume-1.2.3-linux-x64/lib/ld-linux-x86-64.so.2'),
		'/opt/pnx-volume/pnx-volume-1.2.3-linux-x64/bin/node',
	);
	t.is(toNodeCommand('/opt/r/lib/ld-linux-aarch64.so.1'), '/opt/r/bin/node');
	t.is(toNodeCommand('/opt/ld-linux/bin/node'), '/opt/ld-linux/bin/node');
});
