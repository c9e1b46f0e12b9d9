import { IsyncError } from '../../../model/isync-error.ts';
import type { Log } from '../../../model/log.ts';
import { parseAmqpUrl } from '../../amqp/amqp-address.ts';
import { AmqpLink } from '../../amqp/amqp-link.ts';
import { ConfirmedPublisher } from '../../amqp/confirmed-publisher.ts';
import type { ForwardedMessage, ForwardTarget } from './forward-target.ts';

const FORM = 'amqp://[USER:PASSWORD@]HOST[:PORT]/[VHOST/]QUEUE, or …/[VHOST/]KEY?exchange=NAME';
/** Told with its encoding it stays a text for those clients that read bare JSON by themselves, and lose what they can't keep. */
const JSON_TEXT = 'application/json; charset=utf-8';

/** A queue of RabbitMQ, or an exchange with the key that leads on from there. The queue must be there. */
export class AmqpTarget implements ForwardTarget {
  readonly where: string;
  readonly #link: AmqpLink;
  readonly #publisher: ConfirmedPublisher;
  readonly #exchange: string;
  readonly #routingKey: string;

  private constructor(link: AmqpLink, exchange: string, routingKey: string) {
    this.where = link.where;
    this.#link = link;
    this.#publisher = new ConfirmedPublisher(link);
    this.#exchange = exchange;
    this.#routingKey = routingKey;
  }

  /** @throws IsyncError CONFIG_INVALID, UNREACHABLE, STORE_REFUSED, TLS_FAILED */
  static async open(url: string, log: Log): Promise<AmqpTarget> {
    const address = parseAmqpUrl(url, ['exchange'], FORM);
    const exchange = address.parameters.get('exchange') ?? '';
    const { name } = address;
    if (name === undefined && exchange === '')
      throw new IsyncError('CONFIG_INVALID', 'the URL to forward to names neither queue nor exchange', {
        hint: FORM,
      });
    return new AmqpTarget(await AmqpLink.open(address, log), exchange, name ?? '');
  }

  async send({ id, body }: ForwardedMessage): Promise<void> {
    await this.#publisher.publish({
      exchange: this.#exchange,
      routingKey: this.#routingKey,
      messageId: id,
      body,
      contentType: JSON_TEXT,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#link[Symbol.asyncDispose]();
  }
}
