import { once } from 'node:events';
import { readText } from '../../config/read-text.ts';
import type { WebhookConfig } from '../../config/schemas/webhook.ts';
import { readOwnToken } from '../../config/token-file.ts';
import { parseSecretPath } from '../../config/webhook-values.ts';
import { parseNetworks } from '../../events/http/networks.ts';
import { checkedHost, startWebhook } from '../../events/http/start-webhook.ts';
import { openParking } from '../../events/parking/open-parking.ts';
import type { Parking } from '../../events/parking/parking.ts';
import type { EventQueue } from '../../events/queue/event-queue.ts';
import { openEventQueue } from '../../events/queue/open-event-queue.ts';
import type { EventSource } from '../../events/source/event-source.ts';
import { ensureFolder } from '../../sqlite/state-folder.ts';
import { openEventSource } from '../../events/source/open-event-source.ts';
import { queueTaker } from '../../events/work/queue-taker.ts';
import { followReplays } from '../../events/work/replays.ts';
import type { Running } from '../../events/work/work.ts';
import { type WorkSummary, WorkTally } from '../../events/work/work-tally.ts';
import type { HttpServer } from '../../http/server.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { formatBytes, formatCount } from '../../observe/units.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { forgetStart } from '../heap-growth.ts';
import type { LastingWork } from '../lasting-command.ts';
import { parkingFolder } from '../pull/state-files.ts';
import { type FollowedTls, followTlsFiles, readTlsFiles } from '../tls-files.ts';
import { checkHasAction, openAction } from './open-action.ts';
import { queuePlace } from './places.ts';
import { webhookStatus, type WebhookStatus } from './status.ts';

type Work = LastingWork<WebhookConfig>;

/** Takes events by HTTP and works on them until a signal comes. */
export async function serve(given: Work): Promise<ExitCode> {
  const { config, output, log, signal } = given;
  const works = config.role !== 'receive';
  const receives = config.role !== 'work' && config.source === undefined;
  // What the settings lack is said before anything is opened.
  if (works) checkHasAction(config, '; or take them only: --role receive');
  const access = receives ? readAccess(config) : undefined;
  if (access !== undefined) checkedHost({ ...config, access });
  await using opened = new AsyncDisposableStack();
  const source = opened.use(await openSource(given, works));
  // Nothing else may be kept there.
  await ensureFolder(config.state);
  const parking = await openParking(parkingFolder(config), { log, minFreeBytes: config.minFree });
  const queue = isQueue(source) ? source : undefined;
  let running: Running | undefined;
  let tls: FollowedTls | undefined;
  const tally = new WorkTally();
  const seen = await webhookStatus(given, {
    source,
    queue,
    parking,
    tally,
    works,
    receives,
    running: () => running,
    certificateEndsMs: () => tls?.endsMs,
  });
  const action = works ? opened.use(await openAction(given, seen.action)) : undefined;
  const ended = new AbortController();
  const either = AbortSignal.any([signal, ended.signal]);
  let lost: IsyncError | undefined;
  // Where nobody works here, nobody else would find that.
  void queue?.lost?.then((error) => {
    lost = error;
    ended.abort();
  });
  const worked = action?.work({
    ...config,
    source,
    parking,
    // A queue of our own has no other reader, and neither has the one that is named as a source.
    unmatched: 'discard',
    once: false,
    started: (now) => {
      running = now;
    },
    observer: seen.observer,
    log,
    signal: either,
    cut: given.cut,
  });
  // It is waited for below, when the server has ended.
  worked?.catch(() => ended.abort());
  const replayed =
    works || queue === undefined ? undefined : replaysTo(queue, given, { parking, signal: either });
  try {
    const server =
      access === undefined || queue === undefined
        ? undefined
        : opened.use(await listen(given, { access, queue, parking, seen }));
    if (server !== undefined) tls = opened.use(followTlsFiles(config, server, log));
    given.reloads({});
    await using status = await seen.open();
    forgetStart();
    const url = server === undefined ? undefined : `${server.url('http')}/webhook`;
    output.text(
      `isync webhook: ${url === undefined ? `working on ${source.where}` : `listening on ${url} (queue ${source.where})`}`,
    );
    output.object({
      event: 'started',
      role: config.role,
      queue: source.where,
      ...(url !== undefined && { url }),
      ...(status.url !== undefined && { status: status.url }),
    });
    if (!either.aborted) await once(either, 'abort');
    await server?.end();
  } finally {
    ended.abort();
    await worked?.catch(() => undefined);
    await replayed;
  }
  await worked;
  if (lost !== undefined) throw lost;
  if (works) output.text(summaryLine(tally.summary));
  return output.done(works ? tally.summary : {}, EXIT.DONE);
}

async function openSource({ config, log, signal }: Work, works: boolean): Promise<EventSource> {
  if (config.source !== undefined) return await openEventSource(config.source, { log }, { signal });
  return await openEventQueue(queuePlace(config), {
    works,
    maxMessages: config.queueMax,
    minFreeBytes: config.minFree,
    // As many as are worked on: a worker that took more would keep them from others.
    ahead: config.concurrency,
    log,
  });
}

function isQueue(source: EventSource): source is EventQueue {
  return 'publish' in source;
}

/** Where nobody works in this process, the workers of the queue take parked records again. */
function replaysTo(
  queue: EventQueue,
  { config: { buckets, keyEncoding }, log }: Work,
  given: { readonly parking: Parking; readonly signal: AbortSignal },
): Promise<void> {
  const followed = buckets.length === 0 ? undefined : new Set(buckets);
  const records = queueTaker((messages) => queue.publish(messages), followed);
  return followReplays({ ...given, records, keyEncoding, log });
}

interface Access {
  readonly token: string | undefined;
  readonly secretPath: string | undefined;
  readonly networks: ReturnType<typeof parseNetworks> | undefined;
}

/** Who may post. @throws IsyncError CONFIG_INVALID where that can't be read */
export function readAccess({ tokenFile, secretPathFile, network }: WebhookConfig): Access {
  return {
    token: tokenFile === undefined ? undefined : readOwnToken(tokenFile),
    secretPath: secretPathFile === undefined ? undefined : readSecretPath(secretPathFile),
    networks: network.length === 0 ? undefined : parseNetworks(network),
  };
}

/** An error never shows what the file holds. */
function readSecretPath(path: string): string {
  try {
    return parseSecretPath(readText(path, 'the file of --secret-path-file').trim());
  } catch (error) {
    if (!(error instanceof IsyncError) || error.path !== undefined) throw error;
    throw new IsyncError('CONFIG_INVALID', `what the file of --secret-path-file holds ${error.message}`, {
      path,
      hint: 'Make one with: openssl rand -hex 24',
    });
  }
}

interface Listening {
  readonly access: Access;
  readonly queue: EventQueue;
  readonly parking: Parking;
  readonly seen: WebhookStatus;
}

function listen({ config, log }: Work, { access, queue, parking, seen }: Listening): Promise<HttpServer> {
  return startWebhook({
    publish: (messages) => queue.publish(messages),
    parking,
    access,
    address: config.address,
    port: config.port,
    tls: readTlsFiles(config),
    insecure: config.insecure,
    graceMs: config.grace,
    trustedProxies: config.trustedProxy.length === 0 ? undefined : parseNetworks(config.trustedProxy),
    topics: config.topic.length === 0 ? undefined : new Set(config.topic),
    publicUrl: config.publicUrl,
    buckets: config.buckets.length === 0 ? undefined : new Set(config.buckets),
    keyEncoding: config.keyEncoding,
    observer: seen.requests,
    log,
  });
}

/** `12 written, 3 removed, 4 unchanged, 2 done (3.4 MiB); 1 dead` */
function summaryLine({ written, removed, unchanged, done, parked, released, bytes }: WorkSummary): string {
  const parts = [
    `${written} written, ${removed} removed, ${unchanged} unchanged, ${done} done (${formatBytes(bytes)})`,
    ...(parked > 0 ? [`${parked} dead: "isync webhook queue dead list" has the reasons`] : []),
    ...(released > 0 ? [`${formatCount(released, 'message')} given back because of trouble`] : []),
  ];
  return parts.join('; ');
}
