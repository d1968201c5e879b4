import {initFlags, initOut, protocolMajor, protocolMinor, protocolMinorMin} from './protocol.ts';
import {requestBytesMax} from './kernel-device.ts';

/** What the kernel offers in INIT. */
export type Offer = {
	readonly major: number;
	readonly minor: number;
	readonly maxReadahead: number;
	readonly flags: number;
};

/** What both sides use from then on: the kernel never asks again, so a successor of this process must be told. */
export type Agreement = {readonly minor: number; readonly flags: number; readonly maxReadahead: number};

/** Requests that nobody waits for (read-ahead, write-back of mmap) at the same time; the default is 12. */
const maxBackground = 64;

const pageBytes = 4096;

/**
What is asked for, as far as the kernel offers it:
- `asyncRead`, `asyncDirect`: several reads of one file at the same time; without the second, a direct read that is
  longer than a request goes in steps and can be interrupted between them.
- `bigWrites`, `maxPages`: requests of 1 MiB instead of 4 KiB and 128 KiB.
- `atomicTruncate`: O_TRUNC comes with the open, so that nobody sees the file between the two.
- `autoInvalidateData`: pages go when the attributes say that the file changed, and each read of the cache looks
  whether they are still good.
- `readdirplus`, `readdirplusAuto`: a listing carries the attributes that are known, at first and while they are used.
- `parallelDirectories`: look-ups and listings of one directory do not wait for each other.
- `handleKillPriv`: no request before each write for the set-user-ID bits, which have no effect here.
What is left out on purpose: write-back caching (a close must find all bytes in the file system), locks (those of the
kernel hold between the processes of the node), splice (every byte has to come to JavaScript anyway), access lists,
and an end of look-ups for `.` and `..`, which only exports over NFS need.
*/
const wantedFlags =
	initFlags.asyncRead |
	initFlags.atomicTruncate |
	initFlags.bigWrites |
	initFlags.autoInvalidateData |
	initFlags.readdirplus |
	initFlags.readdirplusAuto |
	initFlags.asyncDirect |
	initFlags.parallelDirectories |
	initFlags.handleKillPriv |
	initFlags.maxPages;

/** What to agree on with a kernel; an `Error` for one that is too old. */
export const negotiate = ({major, minor, maxReadahead, flags}: Offer): Agreement => {
	if (major < protocolMajor || (major === protocolMajor && minor < protocolMinorMin)) {
		throw new Error(
			`Linux 5.4 or newer is needed for transport=kernel: this kernel speaks version ${major}.${minor} of its protocol; use transport=native`,
		);
	}

	// A kernel of a later major version sends INIT again, with the one that it reads in the answer.
	return {
		minor: major === protocolMajor ? Math.min(minor, protocolMinor) : protocolMinor,
		flags: flags & wantedFlags,
		maxReadahead,
	};
};

/** The answer to INIT. */
export const toInitOut = ({minor, flags, maxReadahead}: Agreement): Parameters<typeof initOut.write>[2] => ({
	major: protocolMajor,
	minor,
	maxReadahead,
	flags,
	maxBackground,
	congestionThreshold: Math.floor((maxBackground * 3) / 4),
	maxWrite: requestBytesMax,
	timeGranularity: 1,
	maxPages: requestBytesMax / pageBytes,
});
