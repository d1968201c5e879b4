export type ListenAddress = {
	/** Absent: every address of the machine, of IPv6 and IPv4. */
	readonly host?: string | undefined;
	readonly port: number;
};

/** Parses `127.0.0.1:9810`, `[::1]:9810`, `localhost:9810` or `:9810`; port 0 takes a free one. */
export const parseListenAddress = (text: string): ListenAddress => {
	const match = /^(?:\[(?<bracketed>[\da-fA-F:.]+)\]|(?<plain>[\w.-]*)):(?<port>\d{1,5})$/.exec(text);
	const port = Number(match?.groups?.['port']);
	if (match === null || port > 65_535) {
		throw new SyntaxError(
			`Cannot listen at "${text.slice(0, 80)}": it must be an address and a port, like 127.0.0.1:9810, [::1]:9810 or :9810`,
		);
	}

	const host = match.groups?.['bracketed'] ?? match.groups?.['plain'];
	return {port, ...(host === undefined || host === '' ? {} : {host})};
};
