/** Words of a server, fit for one line of a message. */
export const toOneLine = (text: string): string => text.replaceAll(/[\0-\u001F\u007F]+/g, ' ').slice(0, 200);
