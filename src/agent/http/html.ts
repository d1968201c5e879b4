/** Text that is HTML already. Only `html` makes it, so a name from outside never counts as HTML. */
export class Html {
	readonly text: string;

	constructor(text: string) {
		this.text = text;
	}
}

export type HtmlValue = string | number | Html | undefined | readonly HtmlValue[];

/** A piece of HTML; whatever is put into it is escaped, unless it is such a piece itself. */
export const html = (parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html =>
	new Html(parts.map((part, index) => (index === 0 ? part : `${toText(values[index - 1])}${part}`)).join(''));

const toText = (value: HtmlValue): string => {
	if (value === undefined) {
		return '';
	}

	if (value instanceof Html) {
		return value.text;
	}

	return typeof value === 'object' ? value.map(item => toText(item)).join('') : escapeHtml(String(value));
};

const entities: Readonly<Record<string, string>> = {
	'&': '&amp;',
	'<': '&lt;',
	'>': '&gt;',
	'"': '&quot;',
	"'": '&#39;',
};

/**
For text and for values of attributes in quotes. What is invisible, or would turn the direction of writing, is shown
as a replacement.
*/
const escapeHtml = (text: string): string =>
	text
		.toWellFormed()
		.replaceAll(/[\0-\u001F\u007F-\u009F\u2028-\u202E\u2066-\u2069]/g, '\uFFFD')
		.replaceAll(/[&<>"']/g, character => entities[character] ?? '');
