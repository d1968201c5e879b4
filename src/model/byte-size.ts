/** A size for people: `512 MiB`. */
export const formatBytes = (bytes: number): string => {
	const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
	let value = bytes;
	let index = 0;
	while (value >= 1024 && index < units.length - 1) {
		value /= 1024;
		index++;
	}

	return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[index]}`;
};

/** The bytes of a size such as `512MiB`, `1.5 GB` or `4096`; `undefined` for what is no size. */
export const parseBytes = (value: string): number | undefined => {
	const match = /^(\d{1,15}(?:\.\d{1,6})?) ?([a-z]{0,3})$/i.exec(value);
	const unit = byteUnits[match?.[2]?.toLowerCase() ?? 'none'];
	const bytes = match === null || unit === undefined ? Number.NaN : Math.floor(Number(match[1]) * unit);
	return Number.isSafeInteger(bytes) ? bytes : undefined;
};

const byteUnits: Readonly<Record<string, number>> = {
	'': 1,
	b: 1,
	k: 2 ** 10,
	ki: 2 ** 10,
	kib: 2 ** 10,
	kb: 1e3,
	m: 2 ** 20,
	mi: 2 ** 20,
	mib: 2 ** 20,
	mb: 1e6,
	g: 2 ** 30,
	gi: 2 ** 30,
	gib: 2 ** 30,
	gb: 1e9,
	t: 2 ** 40,
	ti: 2 ** 40,
	tib: 2 ** 40,
	tb: 1e12,
};
