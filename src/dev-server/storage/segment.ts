/** A run of bytes of a blob. Objects are lists of segments, so that copies share their bytes. */
export type Segment = {readonly blob: string; readonly start: number; readonly length: number};

/** The segments of the bytes `start` up to but not including `end` of a list of segments. */
export const sliceSegments = (segments: readonly Segment[], start: number, end: number): Segment[] => {
	const slices: Segment[] = [];
	let offset = 0;
	for (const segment of segments) {
		const from = Math.max(start - offset, 0);
		const to = Math.min(end - offset, segment.length);
		if (from < to) {
			slices.push({blob: segment.blob, start: segment.start + from, length: to - from});
		}

		offset += segment.length;
		if (offset >= end) {
			break;
		}
	}

	return slices;
};
