import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { Connection } from 'rabbitmq-client';
import { inject } from 'vitest';

/** The RabbitMQ of this run. Use names of your own in it, and never kill it. Ask `lacks('rabbitmq-server')` of tools.ts before. */
export async function sharedRabbit(): Promise<{ readonly port: number; readonly url: string }> {
  const answer = await text(connect(inject('rabbitSocket')));
  const port = Number(answer);
  if (!(port > 0)) throw new Error(answer);
  return { port, url: `amqp://guest:guest@127.0.0.1:${port}` };
}

/** Deletes those of `queues` that are there, and what is in them. */
export async function deleteQueues(url: string, queues: readonly string[]): Promise<void> {
  const connection = new Connection(url);
  try {
    for (const queue of queues) await connection.queueDelete({ queue });
  } finally {
    await connection.close();
  }
}
