import {S3Error} from './s3-error.ts';

/** An element as it was read: its text when it has no children, else the children in their order. */
export type XmlElement = {readonly name: string; readonly text: string; readonly children: readonly XmlElement[]};

const depthMax = 16;

/**
Reads a request's document and returns its root, which must have the given name. Attributes are skipped; a
DOCTYPE is refused; anything that is not well-formed is `MalformedXML`.
*/
export const readXml = (document: string, rootName: string): XmlElement => {
	const root = new Parser(document).parse();
	if (root.name !== rootName) {
		throw malformed();
	}

	return root;
};

/** The first child of this name. */
export const childOf = (element: XmlElement, name: string): XmlElement | undefined =>
	element.children.find(child => child.name === name);

/** The text of the first child of this name. */
export const childText = (element: XmlElement, name: string): string | undefined => childOf(element, name)?.text;

/** All children of this name. */
export const childrenOf = (element: XmlElement, name: string): XmlElement[] =>
	element.children.filter(child => child.name === name);

export const malformed = (
	why = 'The XML you provided was not well-formed or did not validate against our published schema',
): S3Error => new S3Error('MalformedXML', why);

class Parser {
	readonly #document: string;
	#position = 0;

	constructor(document: string) {
		this.#document = document.startsWith('\uFEFF') ? document.slice(1) : document;
	}

	parse(): XmlElement {
		this.#skipMisc();
		const root = this.#element(0);
		this.#skipMisc();
		if (this.#position !== this.#document.length) {
			throw malformed();
		}

		return root;
	}

	/** Skips what may stand around the root: space, the declaration, comments. */
	#skipMisc(): void {
		for (;;) {
			this.#match(/\s*/y);
			if (!this.#skipBetween('<?', '?>') && !this.#skipBetween('<!--', '-->')) {
				return;
			}
		}
	}

	#element(depth: number): XmlElement {
		const open = this.#match(/<([A-Za-z_][\w.:-]*)(?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*(\/?)>/y);
		if (open === undefined || depth > depthMax) {
			throw malformed();
		}

		const name = open[1]!; // The expression has both groups.
		const children: XmlElement[] = [];
		let text = '';
		while (open[2] !== '/') {
			text += unescapeXml(this.#match(/[^<]*/y)?.[0] ?? '');
			const cdata = this.#match(/<!\[CDATA\[([\s\S]*?)\]\]>/y);
			if (cdata !== undefined) {
				text += cdata[1] ?? '';
			} else if (this.#document.startsWith('</', this.#position)) {
				if (this.#match(/<\/([\w.:-]+)\s*>/y)?.[1] !== name) {
					throw malformed();
				}

				break;
			} else if (!this.#skipBetween('<!--', '-->') && !this.#skipBetween('<?', '?>')) {
				children.push(this.#element(depth + 1));
			}
		}

		return {name: name.slice(name.indexOf(':') + 1), text: children.length === 0 ? text : '', children};
	}

	#match(sticky: RegExp): RegExpExecArray | undefined {
		sticky.lastIndex = this.#position;
		const match = sticky.exec(this.#document);
		if (match === null) {
			return undefined;
		}

		this.#position = sticky.lastIndex;
		return match;
	}

	#skipBetween(open: string, close: string): boolean {
		if (!this.#document.startsWith(open, this.#position)) {
			return false;
		}

		const end = this.#document.indexOf(close, this.#position + open.length);
		if (end === -1) {
			throw malformed();
		}

		this.#position = end + close.length;
		return true;
	}
}

const characterByEntity: Readonly<Record<string, string>> = {amp: '&', lt: '<', gt: '>', quot: '"', apos: "'"};

// An XML processor turns written line ends into \n; a carriage return survives only as a reference.
const unescapeXml = (text: string): string => {
	const normalized = text.includes('\r') ? text.replaceAll(/\r\n?/g, '\n') : text;
	return normalized.includes('&')
		? normalized.replaceAll(/&([^;&]{0,10});?/g, (_, entity: string) => toCharacter(entity))
		: normalized;
};

const toCharacter = (entity: string): string => {
	const named = characterByEntity[entity];
	if (named !== undefined) {
		return named;
	}

	const number = /^#(?:x([\da-f]{1,6})|(\d{1,7}))$/i.exec(entity);
	const codePoint =
		number === null ? Number.NaN : Number.parseInt(number[1] ?? number[2]!, number[1] === undefined ? 10 : 16);
	if (!(codePoint <= 0x10_ff_ff) || (codePoint >= 0xd8_00 && codePoint <= 0xdf_ff)) {
		throw malformed();
	}

	return String.fromCodePoint(codePoint);
};
