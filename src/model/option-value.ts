import {formatBytes, parseBytes} from './byte-size.ts';
import type {OptionDefinition} from './option-table.ts';

/** An option that its author has to change; the message names the option, the value and the rule. */
export class OptionError extends Error {
	override readonly name = 'OptionError';
}

/** A value as `parseOptionValue` reads it. */
export const formatOptionValue = (definition: OptionDefinition, value: string | number | boolean): string => {
	switch (definition.kind) {
		case 'mode': {
			return `0${Number(value).toString(8)}`;
		}

		case 'duration': {
			return `${value}ms`;
		}

		case 'text':
		case 'boolean':
		case 'integer':
		case 'bytes':
		case 'choice': {
			return String(value);
		}
	}
};

/** The value of an option, or an `OptionError` that says what it must be. */
export const parseOptionValue = (definition: OptionDefinition, value: string): string | number | boolean => {
	const parsed = parseByKind(definition, value);
	if (typeof parsed === 'object') {
		throw new OptionError(`Option "${definition.name}" must be ${parsed.rule}: current value is "${printable(value)}"`);
	}

	return parsed;
};

/** A value, or the rule that it breaks. */
type Parsed<Value> = Value | {readonly rule: string};
type OfKind<Kind extends OptionDefinition['kind']> = Extract<OptionDefinition, {kind: Kind}>;

const parseByKind = (definition: OptionDefinition, value: string): Parsed<string | number | boolean> => {
	switch (definition.kind) {
		case 'text': {
			return parseText(definition, value);
		}

		case 'boolean': {
			return value === 'true' || value === 'false' ? value === 'true' : {rule: '"true" or "false"'};
		}

		case 'integer': {
			return parseInteger(definition, value);
		}

		case 'mode': {
			return /^0?[0-7]{3,4}$/.test(value) ? Number.parseInt(value, 8) : {rule: 'an octal mode such as 0644'};
		}

		case 'bytes': {
			return parseSize(definition, value);
		}

		case 'duration': {
			return parseDuration(definition, value);
		}

		case 'choice': {
			return definition.choices.includes(value) ? value : {rule: `one of ${definition.choices.join(', ')}`};
		}
	}
};

const parseText = ({pattern, patternHelp}: OfKind<'text'>, value: string): Parsed<string> => {
	if (/[\0-\u001F\u007F]/.test(value)) {
		return {rule: 'text without control characters'};
	}

	return pattern === undefined || pattern.test(value) ? value : {rule: patternHelp ?? `like ${String(pattern)}`};
};

const parseInteger = ({min, max}: OfKind<'integer'>, value: string): Parsed<number> => {
	const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
	return number >= min && number <= max ? number : {rule: `a whole number from ${min} to ${max}`};
};

const parseSize = ({min, max}: OfKind<'bytes'>, value: string): Parsed<number> => {
	const bytes = parseBytes(value);
	return bytes !== undefined && bytes >= min && bytes <= max
		? bytes
		: {rule: `a size from ${formatBytes(min)} to ${formatBytes(max)}, such as 512MiB`};
};

const parseDuration = ({minMs, maxMs}: OfKind<'duration'>, value: string): Parsed<number> => {
	const durationMs = parseDurationMs(value);
	return durationMs !== undefined && durationMs >= minMs && durationMs <= maxMs
		? durationMs
		: {rule: `a duration from ${minMs}ms to ${maxMs / 1000}s, such as 500ms, 1s or 5m`};
};

const parseDurationMs = (value: string): number | undefined => {
	const match = /^(\d{1,9}(?:\.\d{1,6})?) ?(ms|s|m|h)?$/.exec(value);
	const unitMs = {ms: 1, s: 1000, m: 60_000, h: 3_600_000}[match?.[2] ?? 's'] ?? Number.NaN;
	const durationMs = match === null ? Number.NaN : Math.round(Number(match[1]) * unitMs);
	return Number.isSafeInteger(durationMs) ? durationMs : undefined;
};

/** A value from outside, fit for one line of a message, without the password that a URL may have in it. */
export const printable = (value: string): string =>
	value
		.replaceAll(/[\0-\u001F\u007F]/g, '?')
		.replaceAll(/\/\/.*@/g, '//[redacted]@')
		.slice(0, 80);
