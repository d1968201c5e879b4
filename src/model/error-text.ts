/** What an error says; whatever else was thrown, as text. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Where an error was thrown, for a log. */
export const stackOf = (error: unknown): string => (error instanceof Error && error.stack) || messageOf(error);

export const toError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));

/** The reason of a failed system call in words, such as `ENOSPC: no space left on device`. */
export const toReason = (error: unknown): string =>
	// Node.js appends the call and its paths (", open '/…'"), which our own sentence names already.
	messageOf(error).replace(/, \w+ '.*$/s, '');

export const hasErrorCode = (error: unknown, ...codes: readonly string[]): boolean =>
	error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code);

/** A text without line breaks and control characters. */
export const toOneLine = (text: string): string => text.replaceAll(/[\s\0-\u001F\u007F]+/g, ' ').trim();
