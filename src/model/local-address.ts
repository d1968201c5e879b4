/**
Addresses that mean something else on a node than in a pod: the node itself, its links, and metadata services, which
hand credentials to whoever asks from the node.
*/
const localIpv4 = [
	{network: '0.0.0.0', bits: 8},
	{network: '127.0.0.0', bits: 8},
	{network: '169.254.0.0', bits: 16},
	// Alibaba, Azure and Oracle have theirs elsewhere.
	{network: '100.100.100.200', bits: 32},
	{network: '168.63.129.16', bits: 32},
	{network: '192.0.0.192', bits: 32},
	{network: '224.0.0.0', bits: 4},
	{network: '255.255.255.255', bits: 32},
] as const;
const localIpv6 = /^(?:::1?|fe[89ab][\da-f]:.*|ff[\da-f]{2}:.*|fd00:ec2::.*|fd20:ce::.*)$/;
const localNames = new Set([
	'localhost',
	'metadata',
	'metadata.google.internal',
	'instance-data',
	'instance-data.ec2.internal',
]);

/** Whether a host, given by name or address as `URL` writes it, is such a place by its very name. */
export const isLocalHost = (hostname: string): boolean => {
	const host = hostname
		.toLowerCase()
		.replace(/\.$/, '')
		.replace(/^\[|\]$/g, '');
	return localNames.has(host) || host.endsWith('.localhost') || isLocalAddress(host);
};

/** Whether an IP address is such a place. */
export const isLocalAddress = (address: string): boolean => {
	const text = address.toLowerCase().replace(/%.*$/, '');
	const ipv4 = toIpv4(text);
	return ipv4 === undefined
		? localIpv6.test(text)
		: localIpv4.some(({network, bits}) => ipv4 >>> (32 - bits) === (toIpv4(network) ?? 0) >>> (32 - bits));
};

/**
As a number; also of the addresses of IPv6 that stand for one of IPv4 (mapped, NAT64), as `URL` and the resolver
write them.
*/
const toIpv4 = (text: string): number | undefined => {
	const [, high, low] = /^(?:::ffff:|64:ff9b::)([\da-f]{1,4}):([\da-f]{1,4})$/.exec(text) ?? [];
	if (high !== undefined && low !== undefined) {
		return (Number.parseInt(high, 16) * 65_536 + Number.parseInt(low, 16)) >>> 0;
	}

	const bytes = /^(?:::ffff:|64:ff9b::)?(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
	return bytes === undefined || bytes.some(byte => byte > 255)
		? undefined
		: bytes.reduce((sum, byte) => sum * 256 + byte, 0) >>> 0;
};
