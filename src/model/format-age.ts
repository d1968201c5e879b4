const units = [
	['d', 86_400],
	['h', 3600],
	['m', 60],
	['s', 1],
] as const;

/** A time that has passed, for people, in its largest unit: `40s`, `3m`, `2h`, `5d`. */
export const formatAge = (seconds: number): string => {
	const [unit, unitSeconds] = units.find(([, size]) => seconds >= size) ?? ['s', 1];
	return `${Math.max(0, Math.floor(seconds / unitSeconds))}${unit}`;
};
