import {readFileSync} from 'node:fs';

/**
The options of a `mount` that a real kubelet made, with those of `changes` instead; as Go writes a map: keys in
order, `<`, `>` and `&` escaped.
*/
export const recordedMountJson = (
	recording: 'static-pod' | 'deployment-of-three' | 'four-volumes-at-once',
	volumeName: string,
	changes: Readonly<Record<string, string>>,
): string => {
	const text = readFileSync(new URL(`../../support/kubelet-calls/${recording}.json`, import.meta.url), 'utf8');
	const {calls} = JSON.parse(text) as {calls: Array<{argv: string[]}>};
	const recorded = calls
		.map(({argv}) => argv)
		.find(([call, path]) => call === 'mount' && path?.endsWith(`/${volumeName}`) === true)?.[2];
	if (recorded === undefined) {
		throw new Error(`The recording ${recording} has no mount of a volume ${volumeName}`);
	}

	const options = {...(JSON.parse(recorded) as Record<string, string>), ...changes};
	const ordered = Object.fromEntries(Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1)));
	return JSON.stringify(ordered).replaceAll(/[<>&]/g, character => `\\u00${character.charCodeAt(0).toString(16)}`);
};
