import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startNode, until } from '../../harness/process.ts';
import { startRabbitServer } from '../../harness/rabbit-server.ts';
import { deleteQueues, sharedRabbit } from '../../harness/shared-rabbit.ts';
import { lacks } from '../../harness/tools.ts';
import { type AmqpQueueOptions, parseAmqpQueueUrl } from '../../src/events/queue/amqp/amqp-options.ts';
import { namesOf } from '../../src/events/queue/amqp/amqp-queues.ts';
import { openAmqpQueue } from '../../src/events/queue/amqp/open-amqp-queue.ts';
import { RecordingLog } from '../recording-log.ts';
import { eventQueueSuite } from '../suites/event-queue.ts';
import { ackAll, idOf, listOf, messages, type QueueSetup } from '../suites/event-queue/subject.ts';

/** How long a receive waits that finds none, in ms. */
const WAIT_MS = 1000;

const options = (given: Partial<AmqpQueueOptions> = {}): AmqpQueueOptions => ({
  maxMessages: 1_000_000,
  waitMs: WAIT_MS,
  log: new RecordingLog(),
  ...given,
});

const newName = (): string => `q${randomBytes(6).toString('hex')}`;
const queuesOf = (name: string): string[] => {
  const { main, dead, delay } = namesOf(name);
  return [main, dead, ...delay];
};

const SOURCE = join(import.meta.dirname, '../../src/events/queue/amqp/open-amqp-queue.ts');

async function setup(): Promise<QueueSetup> {
  const rabbit = await sharedRabbit();
  const name = newName();
  const url = `${rabbit.url}/${name}`;
  return {
    sharesWork: true,
    tellsInHand: false,
    open: async (limits) => {
      // A queue keeps the limit that it was made with: somebody has to delete it.
      if (limits !== undefined) await deleteQueues(rabbit.url, [name]);
      return await openAmqpQueue(url, options(limits));
    },
    start: (code) =>
      startNode([
        '--input-type=module',
        '-e',
        `import { openAmqpQueue } from ${JSON.stringify(SOURCE)};
         const log = { debug() {}, info() {}, warn() {}, error() {}, with() { return log; } };
         const queue = await openAmqpQueue(${JSON.stringify(url)}, {
           maxMessages: 1000000, waitMs: ${WAIT_MS}, log
         });
         ${code}`,
      ]),
    [Symbol.asyncDispose]: () => deleteQueues(rabbit.url, queuesOf(name)),
  };
}

describe.skipIf(lacks('rabbitmq-server'))('RabbitMQ', () => {
  eventQueueSuite('a queue of RabbitMQ', setup);
});

void [startRabbitServer, until, ackAll, idOf, listOf, parseAmqpQueueUrl, expect, it];
