import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import ts from 'typescript';

const source = join(import.meta.dirname, '../../../src');

/** What the code says somewhere; `…` stands for what varies. */
export type Message = {readonly text: string; readonly file: string};

/**
Errors whose message reaches people in an Event of a pod, a log, the status page or a terminal; and which argument
that is.
*/
const errors: Readonly<Record<string, number>> = {
	CallOutError: 0,
	KubernetesError: 0,
	NodeError: 0,
	OptionError: 0,
	PolicyFileError: 0,
	StoreError: 1,
};

/** Others are answers to programs, as an errno, or mistakes of ours; but for what the local disk does to uploads. */
const localErrors: Readonly<Record<string, number>> = {...errors, Error: 0, FsError: 1};
const isAboutLocalDisk = (file: string): boolean => file.startsWith('upload/');

/** Stand-ins for tests; and names in paths of files, which are no messages. */
const isLeftOut = (file: string): boolean => /^dev-server\/|^store\/(?:memory|faulty)-|^bin\/demo/.test(file);

const loggers = new Set(['error', 'fatal', 'warn']);

/**
Every text that a person can meet: messages of errors, warnings of logs, problems of the agent, answers of the
driver's shell part.
*/
export const collectMessages = (): Message[] => {
	const found = readSources().flatMap(file =>
		[...new Set(messagesOf(file))].map(text => ({text, file: file.fileName})),
	);
	return [...found, ...driverMessages()].filter(({text}) => /[a-z]{3}/i.test(text));
};

/** The reasons of Events, which `notices.ts` gives as third argument. */
export const collectReasons = (): string[] => {
	const reasons: string[] = [];
	visit(readSource('healing/notices.ts'), node => {
		if (ts.isCallExpression(node) && node.expression.getText() === 'toNotice') {
			reasons.push(...render(node.arguments[2]));
		}
	});
	return reasons;
};

/** The codes in brackets at the end of what S3 refused, and those of connections that failed. */
export const collectCodes = (): string[] =>
	['store/s3-errors.ts', 'store/s3-network-errors.ts'].flatMap(file => {
		const codes: string[] = [];
		visit(readSource(file), node => {
			if (
				ts.isVariableDeclaration(node) &&
				['explanations', 'whyByCode'].includes(node.name.getText()) &&
				node.initializer !== undefined &&
				ts.isObjectLiteralExpression(node.initializer)
			) {
				codes.push(...node.initializer.properties.map(property => property.name?.getText().replaceAll("'", '') ?? ''));
			}
		});
		return codes;
	});

/** The names of the checks of `pnx-volume doctor`. */
export const collectChecks = (): string[] => {
	const names = new Set<string>();
	for (const file of readSources().filter(({fileName}) => fileName.includes('doctor/'))) {
		for (const [, name = ''] of file.text.matchAll(
			/\b(?:attempt|toCheck|toBrokenCheck|toFailedCheck|skip)\('([a-z-]+)'|\bname(?: =|:) '([a-z-]+)'/g,
		)) {
			names.add(name);
		}

		for (const [, name = ''] of file.text.matchAll(/\bname(?: =|:) '([a-z-]+)'/g)) {
			names.add(name);
		}
	}

	return [...names].filter(name => name !== '').sort();
};

const messagesOf = (file: ts.SourceFile): string[] => {
	const texts: string[] = [];
	const positions = isAboutLocalDisk(file.fileName) ? localErrors : errors;
	visit(file, node => {
		if (ts.isNewExpression(node)) {
			const position = positions[node.expression.getText()];
			texts.push(...(position === undefined ? [] : render(node.arguments?.[position])));
		} else if (ts.isCallExpression(node)) {
			texts.push(...renderCall(node));
		} else if (ts.isPropertyAssignment(node) && ['event', 'msg', 'problem'].includes(node.name.getText())) {
			texts.push(...render(node.initializer));
		} else if (
			ts.isBinaryExpression(node) &&
			node.operatorToken.kind === ts.SyntaxKind.EqualsToken &&
			/problem$/i.test(node.left.getText())
		) {
			texts.push(...render(node.right));
		} else if (ts.isVariableDeclaration(node) && node.name.getText() === 'problem') {
			texts.push(...render(node.initializer));
		} else if (
			ts.isReturnStatement(node) &&
			['bin/driver.ts', 'node/volumes/volume-problems.ts'].includes(file.fileName)
		) {
			texts.push(...render(node.expression));
		} else if (
			ts.isArrowFunction(node) &&
			!ts.isBlock(node.body) &&
			file.fileName === 'node/volumes/volume-problems.ts'
		) {
			texts.push(...render(node.body));
		} else if (
			ts.isPropertyAssignment(node) &&
			node.name.getText() === 'message' &&
			['bin/driver.ts', 'policy/decide-mount.ts'].includes(file.fileName)
		) {
			texts.push(...render(node.initializer));
		}
	});
	return texts.filter(text => text.replaceAll('…', '').length > 3);
};

/** Warnings of a logger, of what logs without one, and what keeps the agent from being ready. */
const renderCall = ({expression, arguments: args}: ts.CallExpression): string[] => {
	const name = ts.isPropertyAccessExpression(expression) ? expression.name.text : expression.getText();
	const target = ts.isPropertyAccessExpression(expression) ? expression.expression.getText() : '';
	if (loggers.has(name) && /log\b|^$/i.test(target)) {
		return render(target === '' ? args[0] : args.at(-1));
	}

	// All mistakes in a policy begin with the same words.
	if (name === 'super') {
		return render(args[0]);
	}

	return (['log', 'onEvent'].includes(name) && target === '') ||
		(name === 'push' && target === 'found') ||
		(name === 'warn' && target === 'plan')
		? render(args[0])
		: [];
};

/** `fail '…'` and `fail "…"` of the driver's shell part. */
const driverMessages = (): Message[] => {
	const text = readFileSync(join(source, '../driver/volume'), 'utf8');
	return [...text.matchAll(/\bfail (?:'([^']+)'|"([^"]+)")/g)].map(([, plain, quoted]) => ({
		file: 'driver/volume',
		text: (plain ?? quoted ?? '').replaceAll('\\"', '"').replaceAll(/\$\w+/g, '…'),
	}));
};

/** A text with `…` in place of every expression; several where it depends on a condition. */
const render = (node: ts.Expression | undefined): string[] => {
	if (node === undefined) {
		return [];
	}

	if (ts.isStringLiteralLike(node)) {
		return [node.text];
	}

	if (ts.isTemplateExpression(node)) {
		return [node.head.text + node.templateSpans.map(({literal}) => `…${literal.text}`).join('')];
	}

	if (ts.isConditionalExpression(node)) {
		return [...render(node.whenTrue), ...render(node.whenFalse)];
	}

	return ts.isParenthesizedExpression(node) ? render(node.expression) : ['…'];
};

const visit = (node: ts.Node, look: (node: ts.Node) => void): void => {
	look(node);
	ts.forEachChild(node, child => visit(child, look));
};

const readSource = (file: string): ts.SourceFile =>
	ts.createSourceFile(file, readFileSync(join(source, file), 'utf8'), ts.ScriptTarget.Latest, true);

const readSources = (): ts.SourceFile[] =>
	readdirSync(source, {recursive: true, encoding: 'utf8'})
		.filter(file => file.endsWith('.ts') && !isLeftOut(file))
		.map(file => readSource(file));
