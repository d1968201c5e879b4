import {NodeError} from '../node/node-error.ts';

export type LauncherSettings = {
	/** `current` in the runtime directory of the node. */
	readonly runtimeLink: string;
	/** PNX_VOLUME_* variables of the agent: the driver must use the same directories as the watch. */
	readonly variables: Readonly<Record<string, string>>;
};

/** Nothing that a shell, or the splitting of words, gives a meaning to. */
const plainPath = /^(?:\/[\w.+-]+)+$/;
const plainValue = /^[\w.+/-]+$/;
const variableName = /^PNX_VOLUME_[A-Z_]+$/;

const runtimeLine = /^runtime=.*$/gm;
const settingsLine = /^settings=.*$/gm;

/** The driver as it goes into the plugin directory: two of its lines say where this node has the rest. */
export const writeLauncher = (driver: string, {runtimeLink, variables}: LauncherSettings): string => {
	if (!plainPath.test(runtimeLink) || runtimeLink.split('/').some(part => part === '.' || part === '..')) {
		throw new NodeError(
			`Cannot install the driver: ${JSON.stringify(runtimeLink)} must be an absolute path of letters, digits and . _ + - only; choose another runtime directory`,
		);
	}

	const settings = Object.entries(variables).map(([name, value]) => {
		if (!variableName.test(name) || !plainValue.test(value)) {
			throw new NodeError(
				`Cannot install the driver: the value of ${name} must consist of letters, digits and . _ + - / only, as it becomes part of a script`,
			);
		}

		return `${name}=${value}`;
	});
	return setLine(
		setLine(driver, runtimeLine, `runtime=${runtimeLink}`),
		settingsLine,
		`settings='${settings.join(' ')}'`,
	);
};

const setLine = (driver: string, line: RegExp, replacement: string): string => {
	const count = driver.match(line)?.length ?? 0;
	if (count !== 1) {
		throw new NodeError(
			`Cannot install the driver: driver/volume of the runtime has ${count} lines "${replacement.split('=')[0]}=", and needs exactly one; build the package again`,
		);
	}

	return driver.replace(line, () => replacement);
};
