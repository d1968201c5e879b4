import {toOneLine as toLine} from '../model/error-text.ts';

/** Words of a server, fit for one line of a message. */
export const toOneLine = (text: string): string => toLine(text).slice(0, 200);
