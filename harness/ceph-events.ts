import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  PutBucketNotificationConfigurationCommand,
  type S3Client,
  type S3ServiceException,
} from '@aws-sdk/client-s3';
import { CreateTopicCommand, SNSClient } from '@aws-sdk/client-sns';
import { until } from './process.ts';
import { Random } from './random.ts';
import type { S3Access } from './s3-access.ts';
import type { TestQueue } from './sqs-server.ts';

/** Carries what a Ceph tells of its buckets to a queue, as S3 itself does at AWS. */
export interface EventBridge extends AsyncDisposable {
  /** Has Ceph tell of all that is put into the bucket and removed from it. Never use DeleteObjects there: radosgw 16.2 dies of it. */
  follow(bucket: string): Promise<void>;
  /** Events that Ceph has told so far. */
  readonly told: number;
  /** Messages that are in the queue, or have been. */
  readonly sent: number;
  /** Keys of the events that nobody will ever hear of. */
  readonly withheld: ReadonlySet<string>;
  /** Lets go of what waits to be shuffled. Resolves when the queue has all of it. */
  flush(): Promise<void>;
  /** Whether events are lost from now on. Ceph is answered still: it waits for whoever listens on the port at each change. */
  losesAll: boolean;
}

/** What happens to events on their way; chosen by the seed. */
export interface Unrest {
  readonly seed: number;
  /** So many wait at a time, and one of them by chance goes on when another comes. */
  readonly shuffled: number;
  /** Probability that an event is sent twice. */
  readonly doubled: number;
  /** Probability that an event is lost. */
  readonly withheld: number;
}

const CALM: Unrest = { seed: 1, shuffled: 0, doubled: 0, withheld: 0 };
/** Messages handed to the queue's client at a time. */
const PER_SEND = 200;

/** @param server a Ceph whose API for notifications is on, as harness/ceph has it */
export async function startEventBridge(
  server: S3Access & { readonly client: S3Client },
  queue: TestQueue,
  unrest: Unrest = CALM,
): Promise<EventBridge> {
  const random = new Random(unrest.seed);
  const waiting: string[] = [];
  const outbox: string[] = [];
  const withheld = new Set<string>();
  let told = 0;
  let sent = 0;
  let sending: Promise<void> | undefined;
  let fault: Error | undefined;

  const http = createServer((request, response) => {
    listen(request, response).catch(() => response.destroy());
  });
  // Ceph posts once: not to a connection that is being closed.
  http.keepAliveTimeout = 0;
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;

  const bridge: EventBridge = {
    losesAll: false,
    follow: async (bucket) => {
      await postEvents(server, bucket, { name: `bridge-${port}`, url: `http://127.0.0.1:${port}` });
    },
    get told() {
      return told;
    },
    get sent() {
      return sent;
    },
    withheld,
    async flush() {
      while (waiting.length > 0) outbox.push(...waiting.splice(random.below(waiting.length), 1));
      await send();
      if (fault !== undefined) throw fault;
    },
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      http.close();
      await once(http, 'close');
      await sending;
    },
  };
  return bridge;

  async function listen(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    // Ceph lets whoever puts wait for this answer.
    response.end();
    told += 1;
    if (bridge.losesAll) return;
    take(body);
    void send();
  }

  function take(body: string): void {
    if (random.chance(unrest.withheld)) {
      withheld.add(keyIn(body));
      return;
    }
    waiting.push(body);
    if (random.chance(unrest.doubled)) waiting.push(body);
    while (waiting.length > unrest.shuffled) outbox.push(...waiting.splice(random.below(waiting.length), 1));
  }

  /** One batch after the other, so that the queue gets them in this order. Never rejects: flush tells. */
  function send(): Promise<void> {
    return (sending ??= sendAll()
      .catch((thrown: unknown) => {
        fault ??= thrown instanceof Error ? thrown : new Error(String(thrown));
      })
      .finally(() => {
        sending = undefined;
      }));
  }

  async function sendAll(): Promise<void> {
    while (outbox.length > 0) {
      const batch = outbox.splice(0, PER_SEND);
      await queue.send(batch.map(escaped));
      sent += batch.length;
    }
  }
}

/** Where Ceph posts to. */
interface Topic {
  readonly name: string;
  readonly url: string;
  /** Whether it keeps what it can't deliver, and tries again. Else it posts once. */
  readonly isPersistent?: boolean;
}

/** Has Ceph post all that is put into the bucket and removed from it. Never use DeleteObjects there: radosgw 16.2 dies of it. */
export async function postEvents(
  server: S3Access & { readonly client: S3Client },
  bucket: string,
  { name, url, isPersistent = false }: Topic,
): Promise<void> {
  await notifyOf(server, bucket, {
    name,
    attributes: { 'push-endpoint': url, ...(isPersistent && { persistent: 'true' }) },
  });
}

interface TopicSettings {
  readonly name: string;
  /** https://docs.ceph.com/en/latest/radosgw/notifications/#create-a-topic */
  readonly attributes: Readonly<Record<string, string>>;
}

/** The same by a topic with these attributes. */
export async function notifyOf(
  server: S3Access & { readonly client: S3Client },
  bucket: string,
  topic: TopicSettings,
): Promise<void> {
  // Of topics that are made at the same time a Ceph may keep one, or refuse one with an error without a name.
  await until('the bucket to have a notification', () => notify(server, bucket, topic));
}

/** Resolves to whether that has worked. */
async function notify(
  server: S3Access & { readonly client: S3Client },
  Bucket: string,
  topic: TopicSettings,
): Promise<boolean> {
  const TopicArn = await topicAt(server, topic);
  if (TopicArn === undefined) return false;
  const Events = ['s3:ObjectCreated:*', 's3:ObjectRemoved:*'] as const;
  const TopicConfigurations = [{ Id: 'bridge', TopicArn, Events: [...Events] }];
  try {
    await server.client.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket,
        NotificationConfiguration: { TopicConfigurations },
      }),
    );
    return true;
  } catch (thrown) {
    if (isOfRace(thrown, 'NoSuchKey')) return false;
    throw thrown;
  }
}

async function topicAt(
  { endpoint, region, credentials }: S3Access,
  { name: Name, attributes: Attributes }: TopicSettings,
): Promise<string | undefined> {
  using client = disposable(new SNSClient({ endpoint, region, credentials }));
  try {
    const command = new CreateTopicCommand({ Name, Attributes: { ...Attributes } });
    return (await client.sns.send(command)).TopicArn;
  } catch (thrown) {
    if (isOfRace(thrown, 'Unknown')) return undefined;
    throw thrown;
  }
}

/** Whether an error is the one by `name`, or any that blames the server: all that topics made at the same time have led to so far. */
function isOfRace(thrown: unknown, name: string): boolean {
  if (!(thrown instanceof Error)) return false;
  const { httpStatusCode = 0 } = (thrown as Partial<S3ServiceException>).$metadata ?? {};
  return thrown.name === name || httpStatusCode === 409 || httpStatusCode >= 500;
}

function disposable(sns: SNSClient): Disposable & { readonly sns: SNSClient } {
  return { sns, [Symbol.dispose]: () => sns.destroy() };
}

/** The queue of the tests takes no characters beyond U+FFFF, which SQS does; JSON can say them otherwise. */
function escaped(body: string): string {
  return body.replaceAll(/[\ud800-\udfff]/g, (half) => `\\u${half.charCodeAt(0).toString(16)}`);
}

interface Notification {
  readonly Records: readonly { readonly s3: { readonly object: { readonly key: string } } }[];
}

function keyIn(body: string): string {
  return (JSON.parse(body) as Notification).Records[0]?.s3.object.key ?? '';
}
