import { randomBytes } from 'node:crypto';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  SendMessageBatchCommand,
  SQSClient,
  type SendMessageBatchRequestEntry,
} from '@aws-sdk/client-sqs';
import { buildApp } from 'fauxqs';
import { environmentOf } from './s3-access.ts';

/** A real SQS server, of this process, on loopback. It checks no signatures. */
export interface SqsServer extends AsyncDisposable {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** As a user of `isync` would give them to it: where the server is goes into its config. */
  readonly env: Readonly<Record<string, string>>;
  readonly client: SQSClient;
  /** @param attributes as CreateQueue takes them; FIFO where the name says so */
  makeQueue(attributes?: Readonly<Record<string, string>>, name?: string): Promise<TestQueue>;
}

export interface TestQueue {
  readonly name: string;
  readonly url: string;
  readonly arn: string;
  /** Puts messages into it, in this order. FIFO: `group` is theirs. */
  send(bodies: readonly string[], group?: string): Promise<void>;
  inspect(): Promise<QueueContent>;
}

/** What is in a queue, by the bodies of its messages. */
export interface QueueContent {
  /** For anybody to receive. */
  readonly ready: readonly string[];
  /** Received, and hidden for now. */
  readonly inFlight: readonly string[];
}

const REGION = 'eu-central-1';
/** What SQS takes in one call. */
const PER_CALL = 10;

export async function startSqsServer(): Promise<SqsServer> {
  const app = buildApp({ logger: false, defaultRegion: REGION });
  const endpoint = await app.listen({ port: 0, host: '127.0.0.1' });
  const credentials = { accessKeyId: 'tester', secretAccessKey: 'secret' };
  const client = new SQSClient({ endpoint, region: REGION, credentials });
  return {
    endpoint,
    region: REGION,
    credentials,
    env: environmentOf(credentials, REGION),
    client,
    makeQueue: async (attributes = {}, name = `events-${randomBytes(6).toString('hex')}`) => {
      const isFifo = name.endsWith('.fifo');
      const Attributes = {
        ...attributes,
        ...(isFifo && { FifoQueue: 'true', ContentBasedDeduplication: 'true' }),
      };
      const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes }));
      const url = `${endpoint}${new URL(QueueUrl!).pathname}`;
      const told = await client.send(
        new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['QueueArn'] }),
      );
      return queueAt({ client, endpoint, name, url, arn: told.Attributes!['QueueArn']! });
    },
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      app.server.closeAllConnections();
      await app.close();
    },
  };
}

interface Place extends Pick<TestQueue, 'name' | 'url' | 'arn'> {
  readonly client: SQSClient;
  readonly endpoint: string;
}

function queueAt({ client, endpoint, name, url, arn }: Place): TestQueue {
  return {
    name,
    url,
    arn,
    send: async (bodies, group) => {
      const entries = bodies.map((MessageBody, index): SendMessageBatchRequestEntry => ({
        Id: String(index),
        MessageBody,
        ...(group !== undefined && { MessageGroupId: group }),
      }));
      for (let at = 0; at < entries.length; at += PER_CALL) {
        const Entries = entries.slice(at, at + PER_CALL);
        const { Failed = [] } = await client.send(new SendMessageBatchCommand({ QueueUrl: url, Entries }));
        if (Failed.length > 0) throw new Error(JSON.stringify(Failed));
      }
    },
    inspect: async () => {
      const { messages } = (await (await fetch(`${endpoint}/_fauxqs/queues/${name}`)).json()) as Inspected;
      // The server looks at its clock only when somebody polls.
      const isHidden = ({ visibilityDeadline }: Inspected['messages']['inflight'][number]) =>
        visibilityDeadline > Date.now();
      const bodyOf = ({ message }: { message: { body: string } }) => message.body;
      return {
        ready: [
          ...messages.ready.map(({ body }) => body),
          ...messages.inflight.filter((each) => !isHidden(each)).map(bodyOf),
        ],
        inFlight: messages.inflight.filter(isHidden).map(bodyOf),
      };
    },
  };
}

interface Inspected {
  readonly messages: {
    readonly ready: readonly { readonly body: string }[];
    readonly inflight: readonly {
      readonly message: { readonly body: string };
      readonly visibilityDeadline: number;
    }[];
  };
}
