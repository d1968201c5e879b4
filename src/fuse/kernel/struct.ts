/**
Structures of the kernel's protocol as tables of their fields, in the byte order of the machine. Numbers of 64 bits
become JavaScript numbers: exact up to 2^53, which covers all that this driver counts or numbers itself. What the kernel
sends beyond (offsets near the end of 2^63) is rounded, and lies behind the end of every file all the same.
*/
export type FieldType = 'u16' | 'u32' | 'i32' | 'u64' | 'i64';

export type Fields = Readonly<Record<string, FieldType>>;

export type Struct<F extends Fields = Fields> = {
	readonly bytes: number;
	/** `RangeError` when the structure does not fit between `offset` and the end of `view`. */
	read(view: DataView, offset: number): Record<keyof F, number>;
	/** Fields that are left out are 0. `RangeError` when the structure does not fit. */
	write(view: DataView, offset: number, values: Partial<Record<keyof F, number>>): void;
};

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
const bytesOf: Readonly<Record<FieldType, number>> = {u16: 2, u32: 4, i32: 4, u64: 8, i64: 8};

/** Fields stand in the order of the table without gaps, as the kernel's structures do: they spell their padding out. */
export const defineStruct = <const F extends Fields>(fields: F): Struct<F> => {
	let bytes = 0;
	const places = Object.entries(fields).map(([name, type]) => {
		const place = {name, type, offset: bytes};
		bytes += bytesOf[type];
		return place;
	});
	const assertFits = (view: DataView, offset: number): void => {
		if (offset < 0 || offset + bytes > view.byteLength) {
			throw new RangeError(`A structure of ${bytes} bytes does not fit at ${offset} of ${view.byteLength} bytes`);
		}
	};

	return {
		bytes,
		read(view, offset) {
			assertFits(view, offset);
			const values: Record<string, number> = {};
			for (const place of places) {
				values[place.name] = readField(view, offset + place.offset, place.type);
			}

			return values as Record<keyof F, number>;
		},
		write(view, offset, values) {
			assertFits(view, offset);
			const byName: Readonly<Record<string, number | undefined>> = values;
			for (const place of places) {
				writeField(view, offset + place.offset, {type: place.type, value: byName[place.name] ?? 0});
			}
		},
	};
};

const two32 = 2 ** 32;

const readField = (view: DataView, offset: number, type: FieldType): number => {
	switch (type) {
		case 'u16': {
			return view.getUint16(offset, isLittleEndian);
		}

		case 'u32': {
			return view.getUint32(offset, isLittleEndian);
		}

		case 'i32': {
			return view.getInt32(offset, isLittleEndian);
		}

		case 'u64': {
			return (
				view.getUint32(offset + lowHalf, isLittleEndian) + view.getUint32(offset + highHalf, isLittleEndian) * two32
			);
		}

		case 'i64': {
			return (
				view.getUint32(offset + lowHalf, isLittleEndian) + view.getInt32(offset + highHalf, isLittleEndian) * two32
			);
		}
	}
};

const writeField = (view: DataView, offset: number, {type, value}: {type: FieldType; value: number}): void => {
	switch (type) {
		case 'u16': {
			view.setUint16(offset, value, isLittleEndian);
			break;
		}

		case 'u32':
		case 'i32': {
			view.setUint32(offset, value, isLittleEndian);
			break;
		}

		case 'u64':
		case 'i64': {
			// Modulo 2^32, also of a negative number: DataView does that for both halves.
			view.setUint32(offset + lowHalf, value % two32, isLittleEndian);
			view.setUint32(offset + highHalf, Math.floor(value / two32), isLittleEndian);
		}
	}
};

const lowHalf = isLittleEndian ? 0 : 4;
const highHalf = isLittleEndian ? 4 : 0;
