/** The candidate with the fewest edits to a name, and how many. */
export const nearestName = (name: string, candidates: readonly string[]): {nearest: string; distance: number} => {
	let nearest = candidates[0] ?? '';
	let nearestDistance = Number.POSITIVE_INFINITY;
	for (const candidate of candidates) {
		const distance = editDistance(name.toLowerCase().replaceAll('_', '-').slice(0, 64), candidate);
		if (distance < nearestDistance) {
			nearest = candidate;
			nearestDistance = distance;
		}
	}

	return {nearest, distance: nearestDistance};
};

const editDistance = (a: string, b: string): number => {
	let previous = Array.from({length: b.length + 1}, (_, index) => index);
	for (let row = 1; row <= a.length; row++) {
		const current = [row];
		for (let column = 1; column <= b.length; column++) {
			const substitution = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
			current.push(Math.min(substitution, previous[column]! + 1, current[column - 1]! + 1));
		}

		previous = current;
	}

	return previous[b.length]!;
};
