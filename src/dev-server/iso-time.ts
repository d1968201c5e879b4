let lastMs = Number.NaN;
let lastText = '';

/**
A time as S3's documents have it. The objects of a page were often written in the same second: the last answer is
kept.
*/
export const toIsoTime = (atMs: number): string => {
	if (atMs !== lastMs) {
		lastText = new Date(atMs).toISOString();
		lastMs = atMs;
	}

	return lastText;
};
