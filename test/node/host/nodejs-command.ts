import test from 'ava';
import {toNodejsCommand} from '../../../src/node/host/nodejs-command.ts';

test('toNodejsCommand() is the program of this process, and in the packaged runtime the script that starts the loader', t => {
	t.is(toNodejsCommand('/srv/node_modules/node/bin/node'), '/srv/node_modules/node/bin/node');
	t.is(
		toNodejsCommand('/opt/pnx-volume/pnx-volume-1.2.3-linux-x64/lib/ld-linux-x86-64.so.2'),
		'/opt/pnx-volume/pnx-volume-1.2.3-linux-x64/bin/node',
	);
	t.is(toNodejsCommand('/opt/r/lib/ld-linux-aarch64.so.1'), '/opt/r/bin/node');
	t.is(toNodejsCommand('/opt/ld-linux/bin/node'), '/opt/ld-linux/bin/node');
});
