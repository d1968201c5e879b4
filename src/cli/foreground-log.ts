import {toOneLine} from '../model/error-text.ts';
import {createLogger, type Logger, type LoggerOptions} from '../observability/logger.ts';

/**
The log of a mount that somebody watches: lines for people on stderr, each with what it was about and how long it
took.
*/
export const createForegroundLog = (level: LoggerOptions['level']): Logger =>
	createLogger({
		level,
		destination: {write: line => process.stderr.write(formatLine(line))},
		isSynchronous: true,
	});

/** Fields that say nothing to somebody at a terminal. */
const hidden = new Set(['level', 'time', 'pid', 'msg', 'err', 'volume', 'bucket']);

/** A line of the log for people: `12:00:01.123 debug operation path=a.txt durationMs=3: reason`. */
export const formatLine = (json: string): string => {
	let fields: Record<string, unknown>;
	try {
		fields = JSON.parse(json) as Record<string, unknown>;
	} catch {
		return json;
	}

	const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
	const rest = Object.entries(fields)
		.filter(([name]) => !hidden.has(name))
		.map(([name, value]) => `${name}=${text(value)}`);
	const {err} = fields;
	const reason = typeof err === 'object' && err !== null && 'message' in err ? `: ${text(err.message)}` : '';
	const line = [text(fields['time']).slice(11, 23), text(fields['level']), text(fields['msg']), ...rest].join(' ');
	return `${toOneLine(`${line}${reason}`)}\n`;
};
