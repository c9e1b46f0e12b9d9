import {
  AckPolicy,
  DeliverPolicy,
  jetstream,
  JetStreamApiCodes,
  JetStreamApiError,
  jetstreamManager,
  type ConsumerInfo,
  type JetStreamManager,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { retrying } from '../../../flow/retry.ts';
import type { Abortable } from '../../../model/abortable.ts';
import { IsyncError } from '../../../model/isync-error.ts';
import { connectNats, REQUEST_MS } from '../../nats/connect-nats.ts';
import { natsError } from '../../nats/nats-errors.ts';
import { LEASE_MS, type NatsPlace, parseNatsPlace } from '../../nats/nats-place.ts';
import type { EventSource } from '../event-source.ts';
import type { SourceOptions } from '../open-event-source.ts';
import { NatsSource } from './nats-source.ts';

const FORM = 'nats://[USER:PASSWORD@]HOST[:PORT]/STREAM[?consumer=NAME]';
const DEFAULT_CONSUMER = 'isync';
/** No blanks, dots, wildcards and slashes: https://docs.nats.io/running-a-nats-service/nats_admin/jetstream_admin/naming */
const NAME = /^[^\s.*>/\\]{1,64}$/;
/** In hand of all readers together. */
const MAX_IN_HAND = 50_000;

/**
 * Opens a stream that somebody else fills: `nats://…/STREAM[?consumer=NAME]`, {@link parseNatsPlace}. A subject without a stream
 * keeps nothing for whoever is not there, so there must be one. Its durable consumer, `isync` unless it is named, is made where
 * it is missing (unless `isThere`), and begins with the oldest message. Temporary trouble is waited out.
 * @throws IsyncError CONFIG_INVALID, STORE_MISSING: no such stream, NOT_FOUND: no such consumer and `isThere`, STORE_REFUSED; a retryable one once `giveUpAfterMs` are over
 */
export async function openNatsSource(
  url: string,
  options: SourceOptions,
  { signal }: Abortable = {},
): Promise<EventSource> {
  const place = parseNatsPlace(url, FORM);
  const stream = place.name ?? '';
  const consumer = place.parameters.get('consumer') ?? DEFAULT_CONSUMER;
  if (!NAME.test(stream)) throw invalid('its path is not the name of a stream');
  if (!NAME.test(consumer)) throw invalid('that is no name of a consumer');
  let wasTold = false;
  const onRetry = (err: IsyncError): void => {
    if (!wasTold)
      options.log.warn('the stream can not be reached; it is tried again', { queue: place.where, err });
    wasTold = true;
  };
  const open = (): Promise<EventSource> => openOnce(place, { stream, consumer }, options);
  return await retrying(open, { giveUpAfterMs: options.giveUpAfterMs }, { signal, onRetry });
}

interface Names {
  readonly stream: string;
  readonly consumer: string;
}

async function openOnce(place: NatsPlace, names: Names, options: SourceOptions): Promise<EventSource> {
  const { where } = place;
  const connection = await connectNats(place);
  try {
    const manager = await jetstreamManager(connection, { timeout: REQUEST_MS });
    const info = await consumerOf(manager, names, { where, isThere: options.isThere ?? false });
    const client = jetstream(connection, { timeout: REQUEST_MS });
    const consumer = await client.consumers.get(names.stream, names.consumer);
    return new NatsSource({ connection, consumer, info, where }, options);
  } catch (error) {
    await connection.close();
    throw natsError(error, where);
  }
}

async function consumerOf(
  manager: JetStreamManager,
  { stream, consumer }: Names,
  { where, isThere }: { readonly where: string; readonly isThere: boolean },
): Promise<ConsumerInfo> {
  try {
    const found = await manager.consumers.info(stream, consumer);
    const { deliver_subject: pushedTo, ack_policy: policy } = found.config;
    if (pushedTo !== undefined || policy !== AckPolicy.Explicit)
      throw invalid(`the consumer "${consumer}" is not one that pulls and acknowledges each message`);
    return found;
  } catch (error) {
    if (isApiError(error, JetStreamApiCodes.StreamNotFound))
      throw new IsyncError('STORE_MISSING', `NATS has no stream "${stream}"`, {
        path: where,
        cause: error,
        hint: 'Make a stream that takes the subject which the store publishes to; in MinIO, set streaming or jetstream "on".',
      });
    if (!isApiError(error, JetStreamApiCodes.ConsumerNotFound)) throw error;
  }
  if (isThere) throw noConsumer(consumer, where);
  return await manager.consumers.add(stream, {
    durable_name: consumer,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: nanos(LEASE_MS),
    max_ack_pending: MAX_IN_HAND,
    max_deliver: -1,
  });
}

function noConsumer(consumer: string, where: string): IsyncError {
  return new IsyncError('NOT_FOUND', `the stream has no consumer "${consumer}"`, { path: where });
}

function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}

function invalid(why: string): IsyncError {
  return new IsyncError('CONFIG_INVALID', `the URL of the source can't be used: ${why}`, { hint: FORM });
}
