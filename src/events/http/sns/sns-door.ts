import { HttpError } from '../../../http/handler.ts';
import { GetBudget } from './get-budget.ts';
import type { SnsGet } from './https-get.ts';
import { SnsCertificates } from './sns-certificates.ts';
import { isSignedBy, readSnsMessage, type SnsMessage, type SnsType } from './sns-message.ts';
import { parseTopic, type SnsTopic } from './sns-topic.ts';
import { certificateUrl, subscribeUrl } from './sns-url.ts';

/** How far the time of a message may be from ours, in ms: SNS itself tries for an hour. */
const MAX_AGE_MS = 3600 * 1000;
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/;

export interface SnsDoorOptions {
  readonly topics: ReadonlySet<string>;
  readonly get: SnsGet;
  /** See SnsCertificatesOptions. */
  readonly authorities?: readonly string[] | undefined;
  /** In ms since 1970. */
  readonly now?: (() => number) | undefined;
}

/**
 * Lets messages of SNS in. All that can be checked without a request is checked first, the topic before everything else, so
 * that strangers' topics make us ask nobody for anything.
 */
export class SnsDoor {
  readonly #topics: ReadonlySet<string>;
  readonly #budget: GetBudget;
  readonly #certificates: SnsCertificates;
  readonly #now: () => number;

  constructor({ topics, get, authorities, now = Date.now }: SnsDoorOptions) {
    this.#topics = topics;
    this.#budget = new GetBudget(get);
    this.#certificates = new SnsCertificates({ budget: this.#budget, authorities, now });
    this.#now = now;
  }

  /**
   * Resolves with the type of the message when it is proven to be of SNS and of a topic that is taken. Then a subscription has
   * been confirmed.
   * @throws HttpError 403 where it is not, 503 where that can't be known now
   */
  async take(value: unknown): Promise<SnsType> {
    const message = readSnsMessage(value);
    if (message === undefined) throw refused('is not whole');
    const topic = this.#topics.has(message.topicArn) ? parseTopic(message.topicArn) : undefined;
    if (topic === undefined) throw refused('is of a topic that is not taken');
    await this.#prove(message, topic);
    if (message.type === 'SubscriptionConfirmation') await this.#confirm(message, topic);
    return message.type;
  }

  async #prove(message: SnsMessage, topic: SnsTopic): Promise<void> {
    const { timestamp } = message;
    const atMs = TIMESTAMP.test(timestamp) ? Date.parse(timestamp) : Number.NaN;
    // Not written as ">", so that no time at all is refused too.
    if (!(Math.abs(this.#now() - atMs) <= MAX_AGE_MS))
      throw refused('is older than an hour, or of the future');
    const url = certificateUrl(message.certificateUrl, topic);
    if (url === undefined) throw refused('names a certificate that is not at SNS');
    // Before the certificate is fetched: that would be in vain.
    if (
      message.type === 'SubscriptionConfirmation' &&
      subscribeUrl(message.subscribeUrl, topic) === undefined
    )
      throw refused('is confirmed by a URL that is not of SNS');
    if (!isSignedBy(await this.#certificates.keyAt(url, topic), message))
      throw refused('has a signature that is wrong');
  }

  async #confirm(message: SnsMessage, topic: SnsTopic): Promise<void> {
    const url = subscribeUrl(message.subscribeUrl, topic);
    if (url === undefined) throw refused('is confirmed by a URL that is not of SNS');
    const { status } = await this.#budget.get(url);
    if (status >= 500 || status === 429) throw new HttpError(503, 'SNS takes no confirmation at the moment');
    if (status !== 200) throw refused('was not confirmed: SNS refused it');
  }
}

function refused(why: string): HttpError {
  return new HttpError(403, `the message of SNS ${why}`);
}
