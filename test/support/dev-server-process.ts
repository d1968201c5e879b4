// The server as a process of its own: `node dev-server-process.ts OPTIONS-AS-JSON`. Ends when its standard input does,
// so that it never outlives the test that started it.
import {runDevServer} from '../../src/dev-server/run-dev-server.ts';
import type {DevServerOptions} from '../../src/dev-server/dev-server.ts';

process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM')).resume();
await runDevServer({
	...(JSON.parse(process.argv[2]!) as DevServerOptions),
	...(process.env['PNX_DEV_SERVER_LOG'] === undefined ? {} : {log: line => process.stderr.write(`${line}\n`)}),
});
process.stdin.destroy(); // A pipe that is still open would keep this process.
