import {close, open, read, writev} from 'node:fs';
import {promisify} from 'node:util';

/** Files by descriptor: an object of `FileHandle` for each blob costs more than reading a small one. */
export const openFile = promisify(open);
export const closeFile = promisify(close);
export const readInto = promisify(read);
export const writeVector = promisify(writev);
