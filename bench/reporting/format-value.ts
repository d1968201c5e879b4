/** Three digits that count. */
export const formatValue = (value: number): string => {
	if (value === 0) {
		return '0';
	}

	return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(value >= 0.001 ? 3 : 1);
};

export const formatMegabytes = (bytes: number): string => formatValue(bytes / 1e6);
