import type {Endpoint} from '../server/s3-server.ts';

/** Where a subject is to mount what. */
export type Place = {
	readonly endpoint: Endpoint;
	readonly bucket: string;
	/** An empty directory. */
	readonly directory: string;
	/** For what the subject keeps on local disk; the same one again for one that restarts. */
	readonly work: string;
	/** A free TCP port of the loopback interface. */
	readonly port: number;
};

export type Command = {
	readonly file: string;
	readonly args: readonly string[];
	/** Nothing of this shell but PATH is added: AWS variables would change what is measured. */
	readonly env: Readonly<Record<string, string>>;
};

/** A file system under test, which one process in the foreground mounts. */
export type Subject = {
	readonly name: string;
	readonly isPeer: boolean;
	/** Whether close() returns when S3 has the bytes. The others are measured until close() and until S3 has them. */
	readonly waitsForS3: boolean;
	/** Which workloads it runs: settings that only change writes need not be measured reading. */
	readonly roles: ReadonlyArray<'writes' | 'reads' | 'lists'>;
	command(place: Place): Command;
	/** Resolves when S3 has everything. */
	settle(place: Place, timeoutMs: number): Promise<void>;
	/** SIGTERM ends it with its mount; otherwise umount(8) does. */
	readonly endsOnSigterm: boolean;
	/** For the report; fails when it is not installed. */
	version(): Promise<string>;
};
