type DockerInstruction = {readonly name: string; readonly text: string};

type DockerStage = {
	/** As it stands behind FROM, its variables put in. */
	readonly image: string;
	readonly name: string | undefined;
	readonly instructions: readonly DockerInstruction[];
};

/** The stages of a Dockerfile: enough of its syntax for ours, which uses no here-documents and no escape directive. */
export const parseDockerfile = (
	text: string,
): {readonly defaults: ReadonlyMap<string, string>; readonly stages: readonly DockerStage[]} => {
	const defaults = new Map<string, string>();
	const stages: Array<DockerStage & {instructions: DockerInstruction[]}> = [];
	const lines = text
		.split('\n')
		.filter(line => !/^\s*(?:#|$)/.test(line))
		.join('\n')
		.replaceAll(/\\\n\s*/g, '')
		.split('\n');
	for (const line of lines) {
		const [, name, rest] = /^\s*([A-Za-z]+)\s+(.*?)\s*$/.exec(line) ?? [];
		if (name === undefined || rest === undefined) {
			throw new SyntaxError(`Cannot parse Dockerfile: no instruction in "${line}"`);
		}

		const [, argument, value] = /^([^=]+)=(.*)$/.exec(rest) ?? [];
		if (name === 'FROM') {
			const [, image = '', stage] = /^(\S+)(?:\s+AS\s+(\S+))?$/i.exec(rest) ?? [];
			stages.push({
				image: image.replaceAll(/\$\{(\w+)\}/g, (_, variable: string) => defaults.get(variable) ?? ''),
				name: stage,
				instructions: [],
			});
		} else if (stages.length > 0) {
			stages.at(-1)!.instructions.push({name, text: rest}); // There is one.
		} else if (name === 'ARG' && argument !== undefined && value !== undefined) {
			defaults.set(argument, value);
		} else {
			throw new SyntaxError(`Cannot parse Dockerfile: ${name} before the first FROM`);
		}
	}

	return {defaults, stages};
};

/** What a COPY takes: from the build's context, or from another stage. */
export const parseCopy = (text: string): {readonly from: string | undefined; readonly sources: readonly string[]} => {
	const words = text.split(/\s+/);
	const from = words.find(word => word.startsWith('--from='))?.slice('--from='.length);
	return {from, sources: words.filter(word => !word.startsWith('--')).slice(0, -1)};
};

/**
Whether a `.dockerignore` of plain paths keeps a path of the context: the last line that names it, or a directory
above it, counts.
*/
export const isInContext = (dockerignore: string, path: string): boolean => {
	let isKept = true;
	for (const line of dockerignore.split('\n').filter(each => !/^\s*(?:#|$)/.test(each))) {
		const pattern = line.replace(/^!/, '');
		if (pattern === '*' || path === pattern || path.startsWith(`${pattern}/`)) {
			isKept = line.startsWith('!');
		}
	}

	return isKept;
};
