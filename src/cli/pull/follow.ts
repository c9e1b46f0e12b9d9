import type { PullConfig } from '../../config/schemas/pull.ts';
import { bucketsToCompare } from '../../events/pull/buckets-to-compare.ts';
import { pull } from '../../events/pull/pull.ts';
import type { Running } from '../../events/work/work.ts';
import { type WorkSummary, WorkTally } from '../../events/work/work-tally.ts';
import type { EventSource } from '../../events/source/event-source.ts';
import { openEventSource } from '../../events/source/open-event-source.ts';
import { openSqsSource } from '../../events/sqs/open-sqs-source.ts';
import { FIFO_HINT, FIFO_NOTE, REDRIVE_HINT } from '../../events/sqs/redrive-policy.ts';
import { formatBytes, formatCount } from '../../observe/units.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { forgetStart } from '../heap-growth.ts';
import type { LastingWork } from '../lasting-command.ts';
import { openPullParts, sqsOptions } from './pull-parts.ts';
import { openPullStatus } from './status.ts';

/** How long `--once` waits for a queue that can't be reached, in ms: somebody, or cron, calls it again. */
const ONCE_GIVES_UP_MS = 60_000;

type Work = LastingWork<PullConfig>;

/** Follows the queue until a signal comes, or with `--once` until there is no more to do. */
export async function follow(given: Work): Promise<ExitCode> {
  const { config, output, log, signal, cut } = given;
  if (config.sync.length === 0) return await (await import('./act.ts')).act(given);
  await using parts = await openPullParts(given);
  const atStart = config.resyncNow || config.resync === 'start';
  // Said before anything is begun.
  if (atStart) bucketsToCompare(config.buckets, parts.state);
  await using source = await openSource(given);
  const tally = new WorkTally();
  let running: Running | undefined;
  await using status = await openPullStatus(given, { ...parts, source, tally, running: () => running });
  if (!config.once) given.reloads({});
  forgetStart();
  output.text(`isync pull: following ${source.where}`);
  output.object({
    event: 'following',
    queue: source.where,
    ...(status.url !== undefined && { status: status.url }),
  });
  const { failure } = await pull({
    ...config,
    ...parts,
    source,
    apply: parts.actions.apply,
    removes: config.delete,
    resync: {
      atStart,
      everyMs: typeof config.resync === 'number' ? config.resync : undefined,
    },
    started: (now) => {
      running = now;
    },
    observer: status.observer,
    log,
    signal,
    cut,
  });
  const isTold = !config.once || parts.exec === undefined || (await parts.exec.flush());
  const { summary } = tally;
  output.text(summaryLine(summary));
  if (config.once && failure !== undefined) return output.failed(failure, summary);
  // A daemon ends so; who called it to do all there is must know that it did not.
  if (config.once && signal.aborted) return output.done(summary, EXIT.INTERRUPTED);
  return output.done(summary, config.once && (!isTold || summary.parked > 0) ? EXIT.PROBLEMS : EXIT.DONE);
}

/** Opens the queue, and says where its redrive policy, or its order, would lose messages. */
export async function openSource(given: Work): Promise<EventSource> {
  const { config, log, signal, cut } = given;
  const giveUpAfterMs = config.once ? ONCE_GIVES_UP_MS : undefined;
  if (config.source !== undefined)
    return await openEventSource(config.source, { log, giveUpAfterMs }, { signal });
  const source = await openSqsSource({ ...sqsOptions(config, log), giveUpAfterMs, cut }, { signal });
  warnOfLoss(source, given);
  return source;
}

function warnOfLoss({ maxDeliveries, isFifo }: EventSource, { config, log }: Work): void {
  if (config.unmatched === 'discard') return;
  if (isFifo) log.warn(`the queue ${FIFO_NOTE}`, { hint: FIFO_HINT });
  else if (maxDeliveries !== undefined)
    log.warn(`the queue gives up messages after ${maxDeliveries} deliveries`, { hint: REDRIVE_HINT });
}

/** `12 written, 3 removed, 4 unchanged (3.4 MiB); 1 parked` */
export function summaryLine({
  written,
  removed,
  unchanged,
  done,
  parked,
  released,
  bytes,
}: WorkSummary): string {
  const parts = [
    `${written} written, ${removed} removed, ${unchanged} unchanged (${formatBytes(bytes)})`,
    ...(done > 0 ? [`${done} done`] : []),
    ...(parked > 0 ? [`${parked} parked: "isync pull parked list" has the reasons`] : []),
    ...(released > 0 ? [`${formatCount(released, 'message')} given back because of trouble`] : []),
  ];
  return parts.join('; ');
}
