/**
The few shapes of XML that S3 answers with, without a parser's cost: no attributes matter, and elements of one name
never nest.
*/

const entities: Readonly<Record<string, string>> = {amp: '&', lt: '<', gt: '>', quot: '"', apos: "'"};

export const unescapeXml = (text: string): string =>
	text.includes('&')
		? text.replaceAll(
				/&(?:#x([\da-f]+)|#(\d+)|(\w+));/gi,
				(whole, hexadecimal?: string, decimal?: string, name?: string) => {
					if (name !== undefined) {
						return entities[name] ?? whole;
					}

					return String.fromCodePoint(hexadecimal === undefined ? Number(decimal) : Number.parseInt(hexadecimal, 16));
				},
			)
		: text;

/** For element content. A carriage return would be read as a line feed, and is written as an entity. */
export const escapeXml = (text: string): string =>
	text.replaceAll(/[&<>"'\u0000-\u001F\u007F-\u009F\uFFFE\uFFFF]/g, character => `&#${character.codePointAt(0)};`);

/** The text of the first element of this name between two positions; `undefined` when there is none. */
export const findXmlText = (xml: string, name: string, range?: {start: number; end: number}): string | undefined => {
	const raw = findRawXmlText(xml, name, range);
	return raw === undefined ? undefined : unescapeXml(raw);
};

/** The same as it stands there: for texts that need no unescaping, by the thousand. */
export const findRawXmlText = (
	xml: string,
	name: string,
	{start, end}: {start: number; end: number} = {start: 0, end: xml.length},
): string | undefined => {
	const from = xml.indexOf(`<${name}>`, start);
	if (from === -1 || from >= end) {
		return undefined;
	}

	const textStart = from + name.length + 2;
	const to = xml.indexOf(`</${name}>`, textStart);
	return to === -1 || to > end ? undefined : xml.slice(textStart, to);
};

/** Where the content of each element of this name starts and ends. */
export function* findXmlElements(xml: string, name: string): Generator<{start: number; end: number}> {
	const open = `<${name}>`;
	const close = `</${name}>`;
	let position = xml.indexOf(open);
	while (position !== -1) {
		const start = position + open.length;
		const end = xml.indexOf(close, start);
		if (end === -1) {
			return;
		}

		yield {start, end};
		position = xml.indexOf(open, end + close.length);
	}
}
