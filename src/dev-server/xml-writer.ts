/** A tree of elements: text, nested elements, or a list for a repeated element. `undefined` is left out. */
export type XmlContent =
	| string
	| number
	| boolean
	| undefined
	| readonly XmlContent[]
	| {readonly [name: string]: XmlContent};

const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/';

/** The document of an S3 answer: its root element, in S3's namespace. */
export const writeXml = (root: string, content: XmlContent): string =>
	`<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="${namespace}">${writeContent(content)}</${root}>`;

/** The document of an error: S3 sends it without a namespace. */
export const writeErrorXml = (content: XmlContent): string =>
	`<?xml version="1.0" encoding="UTF-8"?>\n<Error>${writeContent(content)}</Error>`;

const writeContent = (content: XmlContent): string => {
	if (typeof content === 'string') {
		return escapeXml(content);
	}

	if (content === undefined) {
		return '';
	}

	if (typeof content !== 'object') {
		return String(content);
	}

	let xml = '';
	for (const [name, value] of Object.entries(content)) {
		if (Array.isArray(value)) {
			for (const item of value as readonly XmlContent[]) {
				xml += writeElement(name, item);
			}
		} else if (value !== undefined) {
			xml += writeElement(name, value);
		}
	}

	return xml;
};

const writeElement = (name: string, content: XmlContent): string => `<${name}>${writeContent(content)}</${name}>`;

// S3 writes control characters as references although XML 1.0 has none for them: clients read them back.
const escapeXml = (text: string): string =>
	/[&<>"\0-\u001F\u007F\uFFFE\uFFFF]/.test(text)
		? text.replaceAll(
				/[&<>"\0-\u001F\u007F\uFFFE\uFFFF]/g,
				character => entityByCharacter[character] ?? `&#x${character.charCodeAt(0).toString(16)};`,
			)
		: text;

const entityByCharacter: Readonly<Record<string, string>> = {'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;'};
