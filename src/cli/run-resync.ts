import { randomBytes } from 'node:crypto';
import { webhookSchema, type WebhookConfig } from '../config/schemas/webhook.ts';
import { BucketPool } from '../events/action/bucket-pool.ts';
import { checkApart, isSameServer } from '../events/action/copy/servers.ts';
import { compareBuckets } from '../events/compare/compare-buckets.ts';
import { type Difference, differenceMessage } from '../events/compare/difference-message.ts';
import { KeyMap } from '../events/match/key-map.ts';
import { listKeys } from '../events/pull/list-keys.ts';
import type { EventQueue } from '../events/queue/event-queue.ts';
import { openEventQueue } from '../events/queue/open-event-queue.ts';
import { retrying } from '../flow/retry.ts';
import { IsyncError } from '../model/isync-error.ts';
import { formatCount } from '../observe/units.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { FINISHING, lastingCommand, type LastingWork } from './lasting-command.ts';
import { trustSystemCas } from './trust-system-cas.ts';
import { checkHasAction, copySides, sourceAccess } from './webhook/open-action.ts';
import { queuePlace } from './webhook/places.ts';

/** Differences put into the queue by one call: they share a commit. */
const BATCH = 500;
/** How long a queue that is full or away is tried again, in ms: workers may make room. */
const PATIENCE_MS = 5 * 60_000;

type Work = LastingWork<WebhookConfig>;

/**
 * Queues an event for each key whose copy differs, or, where nothing but the action knows what it has made of an object, for each
 * object: the workers of the queue do the rest.
 */
export const runWebhookResync = lastingCommand(webhookSchema, FINISHING, async (given) => {
  const { config, log, signal, cut } = given;
  const [first, ...others] = config.buckets;
  if (first === undefined)
    throw new IsyncError('CONFIG_INVALID', 'nothing tells which bucket to compare with', {
      hint: 'Name it with --buckets.',
    });
  checkHasAction(config);
  const sides = config.to === undefined ? undefined : copySides(config);
  if (sides !== undefined) checkApart(sides);
  trustSystemCas();
  await using queue = await openEventQueue(queuePlace(config), {
    works: false,
    maxMessages: config.queueMax,
    minFreeBytes: config.minFree,
    log,
  });
  using sources = new BucketPool(sourceAccess(config), { cut });
  const list = (bucket: string, prefix: string) => listKeys(sources, bucket, prefix, { signal });
  if (sides === undefined) return await queueAll(everyObject(config, list), queue, given);
  const { source, target } = sides;
  using targets = new BucketPool(target.access, { cut });
  const compared = compareBuckets({
    source: { buckets: [first, ...others], prefix: '', list },
    target: { ...target, list: (bucket, prefix) => listKeys(targets, bucket, prefix, { signal }) },
    isOneServer: isSameServer(source.access, target.access),
    removes: config.delete,
    maxDelete: config.maxDelete,
    signal,
  });
  return await queueAll(compared, queue, given);
});

/** Each object that the action is for, as if it had just been put. What was removed, no listing tells. */
async function* everyObject(
  { buckets, sync }: WebhookConfig,
  list: (bucket: string, prefix: string) => ReturnType<typeof listKeys>,
): AsyncGenerator<Difference> {
  const prefixes = sync.length > 0 ? new KeyMap(sync).prefixes : [''];
  for (const bucket of buckets)
    for (const prefix of prefixes)
      for await (const { key } of list(bucket, prefix)) yield { kind: 'created', bucket, key };
}

async function queueAll(
  compared: AsyncIterable<Difference>,
  queue: EventQueue,
  { config, output, signal }: Work,
): Promise<ExitCode> {
  const counts = { created: 0, removed: 0 };
  const run = randomBytes(8).toString('hex');
  // More would never fit into the queue.
  const most = Math.min(BATCH, config.queueMax);
  let batch: Difference[] = [];
  const publish = async (): Promise<void> => {
    const from = counts.created + counts.removed;
    const messages = batch.map((difference, index) => ({
      id: `resync-${run}-${from + index}`,
      body: differenceMessage(difference, config.keyEncoding),
    }));
    await retrying(() => queue.publish(messages), { giveUpAfterMs: PATIENCE_MS }, { signal });
    for (const { kind } of batch) counts[kind] += 1;
    batch = [];
  };
  let failure: unknown;
  try {
    for await (const difference of compared) {
      batch.push(difference);
      if (batch.length >= most) await publish();
    }
  } catch (error) {
    failure = error;
  }
  // What was found is queued, whatever came after; but a full batch is one that the queue would not take.
  if (!signal.aborted && batch.length < most)
    await publish().catch((error: unknown) => {
      failure ??= error;
    });
  const { created, removed } = counts;
  const isCompared = config.to !== undefined;
  const summary = isCompared
    ? { differences: created + removed, toCopy: created, toRemove: removed }
    : { objects: created };
  const told = isCompared ? `to copy, ${removed} to remove: queued` : 'found: an event for each is queued';
  output.text(`${formatCount(created, 'object')} ${told} in ${queue.where}`);
  if (signal.aborted) return output.done(summary, EXIT.INTERRUPTED);
  return failure === undefined ? output.done(summary) : output.failed(failure, summary);
}
