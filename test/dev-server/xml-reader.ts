import test from 'ava';
import {S3Error} from '../../src/dev-server/s3-error.ts';
import {childText, childrenOf, readXml} from '../../src/dev-server/xml-reader.ts';
import {writeXml} from '../../src/dev-server/xml-writer.ts';

test('what the writer writes the reader reads, whatever the characters', t => {
	for (const text of [
		'plain',
		'<&>"\'',
		'line\nfeed',
		'cr\r\n',
		'\u0001\u001F',
		' spaces ',
		'\u{1F600}',
		'\uFFFF',
		'',
	]) {
		t.is(childText(readXml(writeXml('Root', {Key: text}), 'Root'), 'Key'), text);
	}
});

test('the reader takes namespaces, attributes, comments, CDATA, references and empty elements', t => {
	const root = readXml(
		'<?xml version="1.0"?>\n<!-- c --><s:Root xmlns:s="x" a=\'1\'>\n <Item/> <Item>a<![CDATA[<b>]]>&amp;&#x63;&#100;</Item>\n</s:Root>\n',
		'Root',
	);
	t.deepEqual(
		childrenOf(root, 'Item').map(item => item.text),
		['', 'a<b>&cd'],
	);
});

test('the reader refuses what is not well-formed, has a DOCTYPE, another root or no end of nesting', t => {
	const wrong = [
		'',
		'text',
		'<Root>',
		'<Root></Other>',
		'<Root><a></Root>',
		'<Root/><Root/>',
		'<Root>&unknown;</Root>',
		'<Root>&#xD800;</Root>',
		'<Root>& </Root>',
		'<!DOCTYPE Root [<!ENTITY a "b">]><Root>&a;</Root>',
		'<Other/>',
		`${'<Root>'.repeat(50)}${'</Root>'.repeat(50)}`,
		'<Root><!-- </Root>',
	];
	for (const document of wrong) {
		const error = t.throws(() => readXml(document, 'Root'), {instanceOf: S3Error}, document);
		t.is(error.code, 'MalformedXML');
	}
});
