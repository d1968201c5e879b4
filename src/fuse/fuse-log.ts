/** The logger as the FUSE layer needs it: fields first, then a constant phrase, as pino has it. */
export type FuseLog = {
	readonly trace: LogMethod;
	readonly debug: LogMethod;
	readonly info: LogMethod;
	readonly warn: LogMethod;
	readonly error: LogMethod;
	readonly fatal: LogMethod;
};

type LogMethod = (fields: Record<string, unknown>, message: string) => void;
