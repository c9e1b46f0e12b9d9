import { ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import { onTestFinished, vi } from 'vitest';
import { parseQueue } from '../../src/config/queue-address.ts';
import { openSqsSource } from '../../src/events/sqs/open-sqs-source.ts';
import type { SqsOptions } from '../../src/events/sqs/sqs-options.ts';
import type { Delivery, EventSource } from '../../src/events/source/event-source.ts';
import { startSqsProxy, type SqsProxy } from '../../harness/sqs-proxy.ts';
import type { SqsServer, TestQueue } from '../../harness/sqs-server.ts';
import { RecordingLog } from '../recording-log.ts';

/** For what takes seconds on an idle machine, in ms. */
const PATIENCE = { timeout: 60_000, interval: 50 };

export interface Stand extends AsyncDisposable {
  readonly queue: TestQueue;
  readonly proxy: SqsProxy;
  readonly source: EventSource;
  readonly log: RecordingLog;
}

/** A queue, and a source that reads it through a proxy. Polls are short. */
export async function startStand(
  server: SqsServer,
  {
    attributes,
    name,
    ...options
  }: Partial<SqsOptions> & { attributes?: Record<string, string>; name?: string } = {},
): Promise<Stand> {
  const queue = await server.makeQueue(attributes, name);
  const proxy = await startSqsProxy(server.endpoint);
  const log = new RecordingLog();
  const source = await openSqsSource({
    ...optionsFor(server, proxy.endpoint),
    queue: parseQueue(queue.name),
    log,
    ...options,
  });
  return {
    queue,
    proxy,
    source,
    log,
    [Symbol.asyncDispose]: async () => {
      await source[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

export function optionsFor(
  server: SqsServer,
  endpoint = server.endpoint,
): Omit<SqsOptions, 'queue'> & { log: RecordingLog } {
  const { region, credentials } = server;
  return { endpoint, region, credentials, waitSeconds: 1, log: new RecordingLog() };
}

/** Receives until `count` messages are told. */
export async function receiveAll(source: EventSource, count: number): Promise<Delivery[]> {
  const told: Delivery[] = [];
  while (told.length < count) told.push(...(await source.receive()));
  return told;
}

export async function receiveOne(source: EventSource): Promise<Delivery> {
  const [delivery] = await receiveAll(source, 1);
  return delivery!;
}

/** Another reader of the queue, who asks all the time and never answers: what it has been told, by body. */
export function startRival(
  server: SqsServer,
  queue: TestQueue,
): { readonly received: string[]; polls: number } {
  const rival = { received: [] as string[], polls: 0 };
  const ended = new AbortController();
  const polling = (async () => {
    while (!ended.signal.aborted) {
      const { Messages = [] } = await server.client.send(
        new ReceiveMessageCommand({ QueueUrl: queue.url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 }),
      );
      rival.polls++;
      rival.received.push(...Messages.map(({ Body }) => Body!));
    }
  })();
  onTestFinished(async () => {
    ended.abort();
    await polling;
  });
  return rival;
}

export async function eventually(check: () => void | Promise<void>): Promise<void> {
  await vi.waitFor(check, PATIENCE);
}
