import { startNatsServer } from './nats-server.ts';
import { startRabbitServer } from './rabbit-server.ts';
import { lacks } from './tools.ts';

export const BROKERS = ['NATS', 'RabbitMQ'] as const;
export type BrokerName = (typeof BROKERS)[number];

/** A real broker of this process, for a queue of isync. */
export interface EventBroker extends AsyncDisposable {
  readonly url: string;
  /** Kills it, as a power cut would for its clients, and starts it again with what it had. */
  restart(): Promise<void>;
}

/** Starts a broker; undefined where this machine has none. */
export async function startEventBroker(name: BrokerName): Promise<EventBroker | undefined> {
  if (lacks(name === 'NATS' ? 'nats-server' : 'rabbitmq-server')) return undefined;
  const broker = await (name === 'NATS' ? startNatsServer() : startRabbitServer());
  return {
    url: broker.url,
    restart: async () => {
      await broker.kill();
      await broker.start();
    },
    [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
  };
}
