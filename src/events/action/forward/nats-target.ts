import { jetstream, type JetStreamClient } from '@nats-io/jetstream';
import { headers, type NatsConnection } from '@nats-io/transport-node';
import { IsyncError } from '../../../model/isync-error.ts';
import { connectNats, REQUEST_MS } from '../../nats/connect-nats.ts';
import { ID_HEADER } from '../../nats/nats-delivery.ts';
import { natsError } from '../../nats/nats-errors.ts';
import { parseNatsPlace } from '../../nats/nats-place.ts';
import type { ForwardedMessage, ForwardTarget } from './forward-target.ts';

const FORM = 'nats://[USER:PASSWORD@]HOST[:PORT]/SUBJECT';
/** Without wildcards. */
const SUBJECT = /^[^\s.*>]+(\.[^\s.*>]+)*$/;

/** A subject of NATS that a stream takes: what no stream takes is not accepted. */
export class NatsTarget implements ForwardTarget {
  readonly where: string;
  readonly #connection: NatsConnection;
  readonly #client: JetStreamClient;
  readonly #subject: string;

  private constructor(connection: NatsConnection, where: string, subject: string) {
    this.where = where;
    this.#connection = connection;
    this.#client = jetstream(connection, { timeout: REQUEST_MS });
    this.#subject = subject;
  }

  /** @throws IsyncError CONFIG_INVALID, UNREACHABLE, STORE_REFUSED */
  static async open(url: string): Promise<NatsTarget> {
    const place = parseNatsPlace(url, FORM);
    const { name = '' } = place;
    if (!SUBJECT.test(name))
      throw new IsyncError('CONFIG_INVALID', 'the path of the URL to forward to is no subject', {
        hint: FORM,
      });
    return new NatsTarget(await connectNats(place), place.where, name);
  }

  async send({ id, body }: ForwardedMessage): Promise<void> {
    const told = headers();
    told.set(ID_HEADER, id);
    try {
      await this.#client.publish(this.#subject, body, { headers: told, msgID: id });
    } catch (error) {
      throw natsError(error, this.where);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close();
  }
}
