/** The logger as the FUSE layer needs it: fields first, then a constant phrase, as pino has it. */
export type FuseLog = {
	readonly trace: LogMethod;
	readonly debug: LogMethod;
	readonly info: LogMethod;
	readonly warn: LogMethod;
	readonly error: LogMethod;
	readonly fatal: LogMethod;
	/** Absent: never. Lets every operation be logged from the moment when the level becomes `trace`. */
	readonly isLevelEnabled?: (level: 'trace') => boolean;
};

type LogMethod = (fields: Record<string, unknown>, message: string) => void;
