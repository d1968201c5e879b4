import {find, lsbig, stat} from './listings.ts';
import {append, cp, git, tar} from './programs.ts';
import {randcold} from './random-reads.ts';
import {create128k, create4k, read128k, read4k} from './small-files.ts';
import {patch, seqread, seqwrite} from './streams.ts';
import {rename, rm} from './tree-changes.ts';
import type {Workload} from './workload.ts';

/** In the order in which they run. */
export const allWorkloads: readonly Workload[] = [
	seqwrite,
	seqread,
	create4k,
	read4k,
	create128k,
	read128k,
	lsbig,
	find,
	stat,
	randcold,
	rename,
	rm,
	git,
	tar,
	cp,
	append,
	patch,
];
