import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {closeSync, openSync} from 'node:fs';
import type {Readable, Writable} from 'node:stream';
import {descriptorCountMax, oomScoreAdjustment} from './daemon-limits.ts';
import {setprivArguments} from './daemon-privileges.ts';
import type {DaemonProcess} from './daemon-process.ts';
import {findHostTool} from '../host/host-tool.ts';

/**
Limits that Node.js cannot set for a child, each where it is allowed; then the command instead of the shell. $1 is
setpriv or empty, $2 its arguments as words. Tried first, because a starter with few privileges may not drop the
rest.
*/
const script = `
ulimit -c 0
(ulimit -n ${descriptorCountMax}) 2>/dev/null && ulimit -n ${descriptorCountMax}
(echo ${oomScoreAdjustment} >/proc/self/oom_score_adj) 2>/dev/null && echo ${oomScoreAdjustment} >/proc/self/oom_score_adj
setpriv=$1 flags=$2
shift 2
if [ -n "$setpriv" ] && "$setpriv" $flags /bin/sh -c : 3<&- 4>&-; then
	exec "$setpriv" $flags "$@"
fi
echo '{"level":"warn","msg":"the daemon keeps all privileges of its starter: setpriv(1) of util-linux is missing, or may not drop them"}' >&2
exec "$@"
`;

/**
Starts a daemon's command in a session of its own: a terminal or a shell that ends does not take it along. The log
becomes its stdout and stderr.
*/
export const startInSession = async (
	command: readonly string[],
	{variables, logPath}: {variables: Readonly<Record<string, string>>; logPath: string},
): Promise<DaemonProcess | undefined> => {
	const log = openLog(logPath);
	try {
		const child = spawn(
			'/bin/sh',
			['-c', script, 'sh', findHostTool('setpriv') ?? '', setprivArguments.join(' '), ...command],
			{
				cwd: '/',
				detached: true,
				env: {...variables},
				stdio: ['ignore', log ?? 'ignore', log ?? 'ignore', 'pipe', 'pipe'],
			},
		);
		const {pid} = child;
		if (pid === undefined) {
			await once(child, 'error');
			return undefined;
		}

		const [requestPipe, readyPipe] = [child.stdio[3] as Writable, child.stdio[4] as Readable];
		return {
			pid,
			readyPipe,
			sendRequest: text => requestPipe.on('error', () => undefined).end(text),
			release() {
				child.unref();
				requestPipe.destroy();
				readyPipe.destroy();
			},
		};
	} finally {
		if (log !== undefined) {
			closeSync(log);
		}
	}
};

/** A log that cannot be written to (full disk, read-only /var) must not keep a volume from being mounted. */
const openLog = (path: string): number | undefined => {
	try {
		return openSync(path, 'a', 0o600);
	} catch {
		return undefined;
	}
};
