import { setTimeout as delay } from 'node:timers/promises';
import {
  AckPolicy,
  DiscardPolicy,
  jetstream,
  JetStreamApiCodes,
  JetStreamApiError,
  jetstreamManager,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import { type NatsConnection, nanos } from '@nats-io/transport-node';
import type { Log } from '../../../model/log.ts';
import { connectNats, REQUEST_MS } from '../../nats/connect-nats.ts';
import { natsError } from '../../nats/nats-errors.ts';
import { LEASE_MS } from '../../nats/nats-place.ts';
import { DEDUPE_MS } from '../event-queue.ts';
import { noQueue } from '../no-queue.ts';
import { failuresStream } from './nats-failures.ts';
import { type NatsAddress, type NatsOptions, parseNatsUrl } from './nats-options.ts';
import { type NatsParts, NatsQueue } from './nats-queue.ts';

/** In hand of all workers together. */
const MAX_IN_HAND = 50_000;
/** The first server with `sync_interval: always`, and whose clusters of three survive a power cut of one. */
const SYNCS_SINCE = [2, 10] as const;
const CONSUMER = 'worker';
/**
 * How long nothing is made in place of what somebody has deleted, in ms: a server of 2.9 answers before it has removed the files,
 * and would remove the new ones with them.
 */
const DELETED_MS = 3000;

/**
 * Opens the queue that `url` names, and makes its streams where they are missing.
 * @throws IsyncError CONFIG_INVALID, UNREACHABLE, BUSY, STORE_REFUSED, STORE_FAILED; STORE_MISSING
 */
export async function openNatsQueue(url: string, options: NatsOptions): Promise<NatsQueue> {
  const address = parseNatsUrl(url);
  const connection = await connectNats(address);
  try {
    warnOfOldServer(connection, address, options.log);
    const manager = await jetstreamManager(connection, { timeout: REQUEST_MS });
    const parts = { address, connection, manager };
    let countsFailures = true;
    const makeAll = async (): Promise<void> => {
      await makeStreams(manager, address, options);
      // Last, as the queue works without.
      countsFailures = await makeFailures(parts, options.log, countsFailures ? 'warn' : 'debug');
    };
    if (options.isThere === true) await checkIsThere(manager, address);
    else await makeAll();
    const make = async (): Promise<void> => {
      await delay(DELETED_MS, undefined, { ref: false });
      if (!connection.isClosed()) await makeAll();
    };
    const client = jetstream(connection, { timeout: REQUEST_MS });
    const consumer = await client.consumers.get(address.name, CONSUMER);
    const more = { client, consumer, consumerName: CONSUMER, countsFailures, make };
    return new NatsQueue({ ...parts, ...more }, options);
  } catch (error) {
    await connection.close();
    throw natsError(error, address.where);
  }
}

/** JetStream acknowledges before the disk has it, unless it is told otherwise or other servers have it too. */
function warnOfOldServer({ info }: NatsConnection, { replicas, where }: NatsAddress, log: Log): void {
  const [major = 0, minor = 0] = (info?.version ?? '').split('.').map(Number);
  const isOld = major < SYNCS_SINCE[0] || (major === SYNCS_SINCE[0] && minor < SYNCS_SINCE[1]);
  if (replicas === 1 && isOld)
    log.warn(
      'this NATS server acknowledges before its disk has a message: a power cut may lose the last two minutes; use 2.10 or newer with "sync_interval: always", or replicas=3',
      { queue: where, version: info?.version },
    );
}

async function checkIsThere(manager: JetStreamManager, { name, where }: NatsAddress): Promise<void> {
  if ((await manager.streams.info(name).catch(isMissing)) !== undefined) return;
  throw noQueue(where);
}

async function makeStreams(
  manager: JetStreamManager,
  { name, replicas }: NatsAddress,
  { maxMessages, leaseMs = LEASE_MS }: NatsOptions,
): Promise<void> {
  const common = commonConfig(replicas);
  await makeStream(manager, name, {
    ...common,
    max_msgs: maxMessages,
    subjects: [`${name}.events`],
    retention: RetentionPolicy.Workqueue,
  });
  await makeStream(manager, `${name}-dead`, {
    ...common,
    subjects: [`${name}.dead.*`],
    retention: RetentionPolicy.Limits,
    // For the next one of a subject.
    allow_direct: true,
  });
  const consumer = { ack_wait: nanos(leaseMs), max_ack_pending: MAX_IN_HAND, max_deliver: -1 };
  const found = await manager.consumers.info(name, CONSUMER).catch(isMissing);
  if (found === undefined)
    await manager.consumers.add(name, {
      durable_name: CONSUMER,
      ack_policy: AckPolicy.Explicit,
      ...consumer,
    });
  else if (found.config.ack_wait !== consumer.ack_wait)
    await manager.consumers.update(name, CONSUMER, consumer);
}

function commonConfig(replicas: number) {
  return {
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    num_replicas: replicas,
    duplicate_window: nanos(DEDUPE_MS),
  };
}

/**
 * Makes the stream that counts failures. Resolves with whether it is there, and says where it is not: an account may have
 * no room for one more, or its user no right to it.
 */
async function makeFailures(
  { connection, manager, address }: Pick<NatsParts, 'connection' | 'manager' | 'address'>,
  log: Log,
  severity: 'warn' | 'debug',
): Promise<boolean> {
  const { name, replicas, where } = address;
  const stream = failuresStream(name);
  try {
    await makeStream(manager, stream.name, {
      ...commonConfig(replicas),
      ...stream.config,
      retention: RetentionPolicy.Limits,
    });
    return true;
  } catch (error) {
    if (!connection.isClosed())
      log[severity](
        `how often a message has failed is counted by each worker for itself: the stream ${stream.name} can't be made or looked at; allow its user to use it and to publish to ${name}.failures.*, and its account to have one more stream`,
        { queue: where, err: natsError(error, where) },
      );
    return false;
  }
}

async function makeStream(
  manager: JetStreamManager,
  name: string,
  config: Omit<Parameters<JetStreamManager['streams']['add']>[0], 'name'>,
): Promise<void> {
  const found = await manager.streams.info(name).catch(isMissing);
  if (found === undefined) await manager.streams.add({ name, ...config });
  else if (
    (config.max_msgs ?? -1) !== found.config.max_msgs ||
    config.num_replicas !== found.config.num_replicas
  )
    await manager.streams.update(name, config);
}

function isMissing(error: unknown): undefined {
  const { StreamNotFound, ConsumerNotFound } = JetStreamApiCodes;
  const missing: readonly number[] = [StreamNotFound, ConsumerNotFound];
  if (error instanceof JetStreamApiError && missing.includes(error.code)) return undefined;
  throw error;
}
