import {toPieces, type WriteBody} from '../../../src/store/write-body.ts';

/** One array with a copy of all bytes. */
export const copyBytes = (body: WriteBody): Uint8Array => new Uint8Array(Buffer.concat(toPieces(body)));
