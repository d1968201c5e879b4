/** What an operator must hear of. */
export type UploadEvent =
	| {readonly event: 'conflict'; readonly path: string}
	| {
			readonly event: 'upload failed';
			readonly path: string;
			readonly error: Error;
			readonly isFinal: boolean;
			/** Where the bytes are kept, when nobody was told of the failure. */
			readonly keptAt?: string | undefined;
	  }
	| {readonly event: 'recovered'; readonly path: string; readonly bytes: number}
	| {readonly event: 'journal damaged'; readonly path: string}
	/** The power was lost before the bytes were on stable storage: they are kept, and not uploaded. */
	| {readonly event: 'bytes may be lost'; readonly path: string; readonly keptAt: string}
	/** Two nodes that change one file in the same moment may not notice each other. */
	| {readonly event: 'the server cannot make a write conditional'};
