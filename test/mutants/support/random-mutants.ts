import ts from 'typescript';

/** One change of a source that makes it wrong, in all likelihood. */
export type RandomMutant = {
	readonly file: string;
	readonly line: number;
	/** What was done, with the text that it was done to. */
	readonly change: string;
	/** The whole source with the change. */
	readonly text: string;
};

type Edit = {readonly node: ts.Node; readonly what: string; readonly after: string};

/**
All changes of one source: conditions dropped or negated, halves of conditions dropped, calls and assignments dropped,
clean-ups dropped.
*/
export const findMutants = (file: string, text: string): RandomMutant[] => {
	const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
	const edits: Edit[] = [];
	const visit = (node: ts.Node): void => {
		edits.push(...editsOf(node));
		ts.forEachChild(node, visit);
	};

	visit(source);
	return edits.map(({node, what, after}) => ({
		file,
		line: source.getLineAndCharacterOfPosition(node.getStart()).line + 1,
		change: `${what}: ${shorten(node.getText())}${after === '' ? '' : ` becomes ${shorten(after)}`}`,
		text: `${text.slice(0, node.getStart())}${after}${text.slice(node.end)}`,
	}));
};

const editsOf = (node: ts.Node): Edit[] => {
	if (ts.isIfStatement(node) || ts.isConditionalExpression(node)) {
		const condition = ts.isIfStatement(node) ? node.expression : node.condition;
		return [
			{node: condition, what: 'condition dropped', after: 'true'},
			{node: condition, what: 'condition dropped', after: 'false'},
			{node: condition, what: 'condition negated', after: `!(${condition.getText()})`},
		];
	}

	if (ts.isBinaryExpression(node) && isLogical(node.operatorToken.kind)) {
		return [node.left, node.right].map(half => ({node, what: 'half of a condition dropped', after: half.getText()}));
	}

	if (ts.isExpressionStatement(node)) {
		const what = droppedBy(node.expression);
		return what === undefined ? [] : [{node, what, after: ';'}];
	}

	if (ts.isTryStatement(node) && node.finallyBlock !== undefined && node.finallyBlock.statements.length > 0) {
		return [{node: node.finallyBlock, what: 'clean-up dropped', after: '{}'}];
	}

	return [];
};

const isLogical = (kind: ts.SyntaxKind): boolean =>
	kind === ts.SyntaxKind.AmpersandAmpersandToken || kind === ts.SyntaxKind.BarBarToken;

/** What is left out when a statement is; `undefined` for those that stay. */
const droppedBy = (expression: ts.Expression): string | undefined => {
	if (ts.isAwaitExpression(expression)) {
		return 'awaited call dropped';
	}

	if (ts.isCallExpression(expression)) {
		// Without the call to the class above it, no object is made at all; without an assertion, nothing is wrong.
		return /^(?:super|assert)\b/.test(expression.getText()) ? undefined : 'call dropped';
	}

	return ts.isBinaryExpression(expression) &&
		expression.operatorToken.kind >= ts.SyntaxKind.FirstAssignment &&
		expression.operatorToken.kind <= ts.SyntaxKind.LastAssignment &&
		// A field without its first value makes every use of it fail.
		!isInConstructor(expression)
		? 'assignment dropped'
		: undefined;
};

const isInConstructor = (node: ts.Node): boolean =>
	ts.isConstructorDeclaration(node) || (node.parent !== undefined && isInConstructor(node.parent));

const shorten = (text: string): string => {
	const line = text.replaceAll(/\s+/g, ' ');
	return line.length > 100 ? `${line.slice(0, 97)}...` : line;
};
