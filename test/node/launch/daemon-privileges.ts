import {execFileSync, spawn} from 'node:child_process';
import {once} from 'node:events';
import {setprivArguments} from '../../../src/node/launch/daemon-privileges.ts';
import {findHostTool} from '../../../src/node/host/host-tool.ts';
import {root, setpriv, testThatNeeds} from '../../support/needs.ts';

const setprivPath = findHostTool('setpriv');
const {test: testPrivileges} = testThatNeeds(setpriv, root);

/** Runs a script of Node.js with the privileges of a daemon. */
const runAsDaemon = (script: string, ...argv: readonly string[]): string =>
	// The tests are skipped without one.
	execFileSync(setprivPath!, [...setprivArguments, process.execPath, '-e', script, ...argv], {encoding: 'utf8'});

testPrivileges('a daemon sees which files and which system call a process of another user is at', async t => {
	const child = spawn(
		setprivPath!,
		['--reuid=12345', '--regid=12345', '--clear-groups', 'sh', '-c', 'echo ready; read line'],
		{stdio: ['pipe', 'pipe', 'inherit']},
	);
	t.teardown(() => child.kill());
	await once(child.stdout, 'data');
	const seen = runAsDaemon(
		'const fs = require("node:fs"); const base = `/proc/${process.argv[1]}`; console.log(fs.readdirSync(`${base}/fd`).length > 0, /^\\d+ /.test(fs.readFileSync(`${base}/syscall`, "utf8")))',
		String(child.pid),
	);
	t.is(seen, 'true true\n');
});

testPrivileges('a daemon may neither change owners nor become another user', t => {
	const outcomes = runAsDaemon(`
		const fs = require('node:fs');
		const attempt = work => { try { work(); return 'done'; } catch (error) { return error.code; } };
		const path = fs.mkdtempSync('/tmp/pnx-privileges-');
		const outcomes = [attempt(() => fs.chownSync(path, 12345, 12345)), attempt(() => process.setuid(12345))];
		fs.rmdirSync(path);
		console.log(JSON.stringify(outcomes));`);
	t.deepEqual(JSON.parse(outcomes), ['EPERM', 'EPERM']);
});
