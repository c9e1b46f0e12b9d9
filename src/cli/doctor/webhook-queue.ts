import type { WebhookConfig } from '../../config/schemas/webhook.ts';
import { openEventQueue } from '../../events/queue/open-event-queue.ts';
import { openEventSource } from '../../events/source/open-event-source.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { LastingWork } from '../lasting-command.ts';
import { queuePlace } from '../webhook/places.ts';
import { type Check, failure, ok } from './check.ts';
import { silentLog } from './silent-log.ts';

/** For a broker to answer, in ms. */
const ANSWER_MS = 10_000;
const BROKER = /^(?:nats|tls|amqps?):\/\//i;

/**
 * Connects to the broker that has the queue, or the queue that is read in place of HTTP. Returns undefined where the queue is a file, in
 * the state.
 */
export async function checkBroker({
  config,
  signal,
}: Pick<LastingWork<WebhookConfig>, 'config' | 'signal'>): Promise<Check | undefined> {
  const { source } = config;
  if (source !== undefined) return await checkSource(source, signal);
  const place = queuePlace(config);
  return BROKER.test(place) ? await checkQueue(place, config) : undefined;
}

/** Makes nothing there: a consumer that nobody reads would have the stream keep all for it. */
async function checkSource(url: string, signal: AbortSignal): Promise<Check> {
  const name = 'source';
  try {
    const options = { log: silentLog, giveUpAfterMs: ANSWER_MS, isThere: true };
    await using source = await openEventSource(url, options, { signal });
    return ok(name, `${source.where} can be read`);
  } catch (error) {
    if (error instanceof IsyncError && error.code === 'NOT_FOUND')
      return ok(name, 'the stream is there; the first start makes the consumer');
    return failure(name, error);
  }
}

/** Makes nothing there. */
async function checkQueue(place: string, { queueMax, minFree }: WebhookConfig): Promise<Check> {
  const name = 'queue';
  const options = {
    works: false,
    isThere: true,
    maxMessages: queueMax,
    minFreeBytes: minFree,
    log: silentLog,
  };
  try {
    await using queue = await openEventQueue(place, options);
    return ok(name, `${queue.where} is there`);
  } catch (error) {
    if (error instanceof IsyncError && error.code === 'STORE_MISSING')
      return ok(name, 'the broker can be reached; the first start makes the queue');
    return failure(name, error);
  }
}
