import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { FillsObserver } from '../fill/fills-observer.ts';
import type { FillsState } from '../fill/fills.ts';
import type { ServeObserver } from './serve-observer.ts';

/** From an answer of the same building to the longest that a rule waits, in seconds. */
const ORIGIN_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Keeps the metrics of a mirror in `registry`. Names of rules and origins come from the config alone. */
export class MirrorMetrics implements ServeObserver {
  /** What fills tell. */
  readonly fills: FillsObserver;
  readonly served: ServeObserver['served'];
  readonly loopSuspected: ServeObserver['loopSuspected'];

  /** @param state of the fills, once there are some */
  constructor(registry: Registry, state: () => FillsState | undefined) {
    const registers = [registry];
    const counter = <Label extends string>(name: string, help: string, labelNames: Label[] = []) =>
      new Counter({ name: `isync_mirror_${name}`, help, labelNames, registers });
    const requests = counter('requests_total', 'Requests, by outcome (HIT, MISS, JOINED…)', ['outcome']);
    const statuses = counter('answers_total', 'Answers, by status', ['status']);
    const bytes = counter('sent_bytes_total', 'Bytes of objects to clients, by outcome', ['outcome']);
    const loops = counter('loops_suspected_total', 'Requests of a CDN for objects that were in the bucket');
    const begun = counter('fills_total', 'Fills that have begun', ['rule']);
    const ended = counter('fills_ended_total', 'Fills that have ended, by how', ['rule', 'end']);
    const filled = counter('kept_bytes_total', 'Bytes of objects that are kept now', ['rule']);
    const joined = counter('joined_total', 'Requests that joined a fill under way', ['rule']);
    const refused = counter('refused_total', 'Requests refused at a limit', ['limit']);
    const received = counter('origin_bytes_total', 'Bytes from origins', ['origin']);
    const opened = counter('breaker_opened_total', 'How often an origin was left alone', ['origin']);
    const latency = new Histogram({
      name: 'isync_mirror_origin_seconds',
      help: "Until the head of an origin's answer, by what it said",
      labelNames: ['origin', 'outcome'],
      buckets: ORIGIN_BUCKETS_S,
      registers,
    });
    this.served = ({ outcome, status, bytes: sent }) => {
      requests.inc({ outcome });
      statuses.inc({ status: String(status) });
      bytes.inc({ outcome }, sent);
    };
    this.loopSuspected = () => loops.inc();
    this.fills = {
      began: (rule) => begun.inc({ rule }),
      joined: (rule) => joined.inc({ rule }),
      ended: (rule, end) => {
        ended.inc({ rule, end: end.kind });
        if (end.kind === 'kept') filled.inc({ rule }, end.bytes);
      },
      refused: (limit) => refused.inc({ limit }),
      asked: (origin, outcome, ms) => latency.observe({ origin, outcome }, ms / 1000),
      received: (origin, count) => received.inc({ origin }, count),
      breaker: (origin, isOpen) => {
        if (isOpen) opened.inc({ origin });
      },
    };
    this.#gauges(registry, state);
  }

  #gauges(registry: Registry, state: () => FillsState | undefined): void {
    const gauge = (name: string, help: string, of: (state: FillsState) => number): void => {
      const shown: Gauge = new Gauge({
        name: `isync_mirror_${name}`,
        help,
        registers: [registry],
        collect: () => {
          const now = state();
          if (now !== undefined) shown.set(of(now));
        },
      });
    };
    gauge('fills', 'Fills under way', ({ fills }) => fills);
    gauge('waiting', 'Requests that wait for fills', ({ waiting }) => waiting);
    gauge('spool_bytes', 'Bytes taken in the spool', ({ spoolBytes }) => spoolBytes);
    const open: Gauge<'origin'> = new Gauge({
      name: 'isync_mirror_breaker_open',
      help: '1 while an origin is left alone',
      labelNames: ['origin'],
      registers: [registry],
      collect: () => {
        for (const { origin, isOpen } of state()?.breakers ?? []) open.set({ origin }, isOpen ? 1 : 0);
      },
    });
  }
}
