import {StoreError} from '../model/store-error.ts';

/** Copies a body into a block. Fails unless exactly the expected bytes came. */
export const fillBlock = async (
	body: AsyncIterable<Uint8Array>,
	buffer: Uint8Array,
	expected: {readonly key: string; readonly bytes: number},
): Promise<number> => {
	let filled = 0;
	for await (const bytes of body) {
		if (filled + bytes.length > expected.bytes) {
			throw new StoreError(
				'corrupt',
				`Reading ${expected.key}: more bytes came than the ${expected.bytes} that were asked for`,
			);
		}

		buffer.set(bytes, filled);
		filled += bytes.length;
	}

	if (filled < expected.bytes) {
		throw new StoreError(
			'unavailable',
			`Reading ${expected.key}: the connection ended ${expected.bytes - filled} bytes early`,
		);
	}

	return filled;
};
