/** The smallest part that is not the last (Amazon S3 User Guide, "Multipart upload limits"). */
export const partBytesMin = 5 * 2 ** 20;

/** The highest part number. */
export const partNumberMax = 10_000;

/** One array with a copy of all bytes. */
export const copyParts = (parts: Uint8Array | readonly Uint8Array[]): Uint8Array =>
	parts instanceof Uint8Array ? Uint8Array.from(parts) : new Uint8Array(Buffer.concat(parts));
