import type {ValueSample} from '../../model/metric-samples.ts';
import type {Notice} from '../../healing/watch-message.ts';

/**
Counts notices by type and reason. A snapshot has the newest ones only, so each is counted when it is seen first,
and a count never goes down when a notice leaves the snapshot.
*/
export class NoticeCounter {
	readonly #counted = new WeakSet<Notice>();
	readonly #counts = new Map<
		string,
		{readonly labels: {readonly type: string; readonly reason: string}; count: number}
	>();

	see(notices: readonly Notice[]): void {
		for (const notice of notices) {
			if (this.#counted.has(notice)) {
				continue;
			}

			this.#counted.add(notice);
			const {type, reason} = notice;
			const entry = this.#counts.get(`${type} ${reason}`) ?? {labels: {type, reason}, count: 0};
			entry.count++;
			this.#counts.set(`${type} ${reason}`, entry);
		}
	}

	samples(): ValueSample[] {
		return [...this.#counts.values()].map(({labels, count}) => ({
			name: 'pnx_volume_notices_total',
			labels,
			value: count,
		}));
	}
}
