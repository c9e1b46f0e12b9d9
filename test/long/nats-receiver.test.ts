import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startNatsServer } from '../../harness/nats-server.ts';
import { until } from '../../harness/process.ts';
import { lacks } from '../../harness/tools.ts';
import type { FailureCounts } from '../../src/events/nats/nats-delivery.ts';
import { NatsReceiver } from '../../src/events/nats/nats-receiver.ts';
import { openNatsQueue } from '../../src/events/queue/nats/open-nats-queue.ts';
import { RecordingLog } from '../recording-log.ts';
import { ackAll, idOf, messages } from '../suites/event-queue/subject.ts';

/** How long a receive waits that finds none, in ms. */
const WAIT_MS = 1000;
/** As it asks for at a time. */
const MOST_AHEAD = 100;
const NAME = 'ahead';

describe.skipIf(lacks('nats-server'))('a receiver of NATS', () => {
  it('takes no more than one batch whose failures are not known yet, however long they are asked for', async () => {
    await using server = await startNatsServer();
    await using queue = await openNatsQueue(`${server.url}/${NAME}`, {
      maxMessages: 1000,
      log: new RecordingLog(),
    });
    await queue.publish(messages(4 * MOST_AHEAD));
    const connection = await connect({ servers: server.url });
    onTestFinished(async () => await connection.close());
    const known = Promise.withResolvers<number>();
    const failures: FailureCounts = {
      look: () => undefined,
      of: () => known.promise,
      keep: () => Promise.resolve(),
      forget: () => Promise.resolve(),
    };
    const receiver = new NatsReceiver({
      connection,
      consumer: await jetstream(connection).consumers.get(NAME, 'worker'),
      where: server.url,
      leaseMs: 30_000,
      waitMs: WAIT_MS,
      bury: () => Promise.resolve(),
      failures,
      log: new RecordingLog(),
    });
    onTestFinished(async () => await receiver.close());
    await until('messages of which it is asked', async () => {
      expect(await receiver.receive()).toEqual([]);
      return receiver.inHand === MOST_AHEAD;
    });
    expect(await receiver.receive()).toEqual([]);
    expect(receiver.inHand).toBe(MOST_AHEAD);
    const received = receiver.receive();
    known.resolve(2);
    const seen: string[] = [];
    for (let deliveries = await received; ; deliveries = await receiver.receive()) {
      expect(receiver.inHand).toBeLessThanOrEqual(MOST_AHEAD);
      expect(deliveries.every((each) => each.failures === 2)).toBe(true);
      seen.push(...deliveries.map(idOf));
      await ackAll(deliveries);
      if (seen.length === 4 * MOST_AHEAD) break;
    }
    expect(seen).toEqual(messages(4 * MOST_AHEAD).map(idOf));
  });
});
