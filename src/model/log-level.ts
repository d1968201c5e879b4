/** How much a log says, the most first. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

export type LogLevel = (typeof logLevels)[number];

export const findLogLevel = (text: string | undefined): LogLevel | undefined => logLevels.find(level => level === text);
