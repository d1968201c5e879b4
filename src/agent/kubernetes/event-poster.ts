import {randomBytes} from 'node:crypto';
import {setTimeout as delay} from 'node:timers/promises';
import type {Notice} from '../../healing/watch-message.ts';
import {BoundedMap} from '../../model/bounded-map.ts';
import type {Logger} from '../../observability/logger.ts';
import {CallBudget} from './call-budget.ts';
import {subjectKey, toEvent, toEventPatch, toSubjects, type EventRecord} from './event-object.ts';
import {KubernetesError, type KubernetesClient} from './kubernetes-client.ts';

export type EventPosterOptions = {
	readonly client: KubernetesClient;
	readonly nodeName: string;
	readonly log: Pick<Logger, 'warn'>;
	/** Equal notices within this time become one Event with a higher count. */
	readonly sameEventMs?: number;
	/** At most one call in this time, once the burst is used up. */
	readonly callIntervalMs?: number;
};

type Tracked = EventRecord & {readonly eventName: string; isSent: boolean; sentCount: number; attemptCount: number};

const trackedCountMax = 500;
const burstCount = 25;
const attemptCountMax = 6;
const firstRetryMs = 1000;
const retryMsMax = 60_000;

/**
Tells Kubernetes what users of volumes must know: an Event for each pod of a notice. Events that repeat are counted up
instead of sent again, and calls are bounded in number: a node full of sick volumes must not trouble the API server.
What it does not take after some tries is dropped, with a line in the log; the notice itself is in the log anyway.
*/
export class EventPoster {
	readonly #client: KubernetesClient;
	readonly #nodeName: string;
	readonly #log: Pick<Logger, 'warn'>;
	readonly #sameEventMs: number;
	readonly #budget: CallBudget;
	readonly #tracked = new BoundedMap<string, Tracked>({countMax: trackedCountMax});
	/** Keys of `#tracked` that are to be sent. */
	readonly #queue = new Set<string>();
	readonly #closing = new AbortController();
	#worker: Promise<void> | undefined;

	constructor({client, nodeName, log, sameEventMs = 600_000, callIntervalMs = 5000}: EventPosterOptions) {
		this.#client = client;
		this.#nodeName = nodeName;
		this.#log = log;
		this.#sameEventMs = sameEventMs;
		this.#budget = new CallBudget({burstCount, intervalMs: callIntervalMs});
	}

	/** Returns at once: it never delays its caller. */
	post(notice: Notice): void {
		for (const subject of toSubjects(notice, this.#nodeName)) {
			const key = JSON.stringify([subjectKey(subject), notice.type, notice.reason, notice.message]);
			const known = this.#tracked.get(key);
			const isSame = known !== undefined && notice.atMs - known.lastAtMs < this.#sameEventMs;
			const dropped = this.#tracked.set(
				key,
				isSame ? Object.assign(known, {count: known.count + 1, lastAtMs: notice.atMs}) : toTracked(subject, notice),
			);
			this.#queue.add(key);
			for (const [droppedKey, record] of dropped) {
				if (this.#queue.delete(droppedKey)) {
					this.#log.warn({reason: record.notice.reason}, 'event dropped, as too many wait for the API server');
				}
			}
		}

		if (this.#queue.size > 0 && !this.#closing.signal.aborted) {
			this.#worker ??= this.#work();
		}
	}

	/** Drops what is still to be sent. */
	async close(): Promise<void> {
		this.#closing.abort();
		await this.#worker;
	}

	async #work(): Promise<void> {
		try {
			while (this.#queue.size > 0) {
				await this.#sendQueue();
			}
		} catch (error) {
			if (!this.#closing.signal.aborted) {
				this.#log.warn({err: error}, 'event not posted');
			}
		} finally {
			this.#worker = undefined;
		}
	}

	/** One after the other: the order of Events is that of the notices. */
	async #sendQueue(): Promise<void> {
		for (const key of this.#queue) {
			const record = this.#tracked.get(key);
			if (record === undefined || record.sentCount === record.count) {
				this.#queue.delete(key);
				continue;
			}

			await this.#budget.take(this.#closing.signal);
			try {
				await this.#send(record);
				this.#queue.delete(key);
				// Not of `record`: another one may have taken its place while it was sent.
				const current = this.#tracked.get(key);
				if (current !== undefined && current.sentCount !== current.count) {
					this.#queue.add(key);
				}
			} catch (error) {
				this.#closing.signal.throwIfAborted();
				await this.#considerRetry(key, record, error);
			}
		}
	}

	async #send(record: Tracked): Promise<void> {
		const {subject, eventName, count, isSent} = record;
		const {signal} = this.#closing;
		const path = `/api/v1/namespaces/${encodeURIComponent(subject.namespace)}/events`;
		await (isSent
			? this.#client.call({method: 'PATCH', path: `${path}/${eventName}`, body: toEventPatch(record), signal})
			: this.#client.call({
					method: 'POST',
					path,
					body: toEvent(record, {eventName, nodeName: this.#nodeName}),
					signal,
				}));
		record.isSent = true;
		record.sentCount = count;
		record.attemptCount = 0;
	}

	async #considerRetry(key: string, record: Tracked, error: unknown): Promise<void> {
		const status = error instanceof KubernetesError ? error.status : undefined;
		record.attemptCount++;
		if (status === 404 && record.isSent) {
			// The API server forgets Events after an hour or so: it becomes a new one.
			record.isSent = false;
			return;
		}

		if (status === 409 && !record.isSent) {
			// An earlier try was taken, and its answer got lost.
			record.isSent = true;
			return;
		}

		if ((error instanceof KubernetesError && error.isFinal) || record.attemptCount >= attemptCountMax) {
			this.#queue.delete(key);
			this.#tracked.delete(key);
			const {notice, subject} = record;
			this.#log.warn({err: error, reason: notice.reason, subject: subjectKey(subject)}, 'event not posted');
			return;
		}

		await delay(Math.min(retryMsMax, firstRetryMs * 2 ** (record.attemptCount - 1)), undefined, {
			signal: this.#closing.signal,
		});
	}
}

const toTracked = (subject: EventRecord['subject'], notice: Notice): Tracked => ({
	subject,
	notice,
	count: 1,
	firstAtMs: notice.atMs,
	lastAtMs: notice.atMs,
	eventName: toEventName(subject.name),
	isSent: false,
	sentCount: 0,
	attemptCount: 0,
});

/** As those of other components: the object's name, a dot, and something that no other Event has. */
const toEventName = (name: string): string =>
	`${name.slice(0, 220).replace(/[^a-z\d]+$/, '')}.${randomBytes(8).toString('hex')}`;
