/** Whether a client's address is this machine itself: 127.0.0.0/8 (also as IPv6 writes it) and ::1. */
export const isLoopbackAddress = (address: string | undefined): boolean =>
	/^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$|^::1$/.test(address ?? '');
