import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
  type BatchResultErrorEntry,
  type Message,
} from '@aws-sdk/client-sqs';
import { BOUNDED_ANSWERS, boundedAnswers } from '../../aws/bounded-answers.ts';
import { clientSettings } from '../../aws/client-settings.ts';
import { regionOfHost, type QueueAddress } from '../../config/queue-address.ts';
import type { Abortable } from '../../model/abortable.ts';
import type { EntryFailure } from './batch-calls.ts';
import type { IsyncError } from '../../model/isync-error.ts';
import { bareCode, foreignAnswer, messageError, queueError, type SqsAction } from './queue-errors.ts';
import type { SqsOptions } from './sqs-options.ts';

/** Messages in one answer, and entries of one batch: what SQS takes. */
export const PER_CALL = 10;

/** Longest answer, in bytes: ten messages of 1 MiB, each byte escaped. */
const MOST_ANSWER_BYTES = 64 * 1024 * 1024;
/** Kept for the way there and back, beside what a poll waits, in s. A connection may be dead without a sign. */
const POLL_MARGIN_S = 10;
/** For a look at the queue, in ms, with the way to a new connection. */
const LOOK_MS = 20_000;

/** What ends a request. */
interface Limits extends Abortable {
  /** Of each try, in ms, until its answer begins. */
  readonly limitMs: number;
}

/** What a queue says of itself. */
export interface QueueAttributes {
  /** A message that was received comes again after this long, in s, unless that is extended. */
  readonly visibilitySeconds: number;
  readonly isFifo: boolean;
  /** About how many messages a receive could bring; undefined where the server does not tell. */
  readonly waiting: number | undefined;
  /** As it stands in the queue: JSON of the queue's owner. */
  readonly redrivePolicy: string | undefined;
}

export interface VisibilityEntry {
  readonly handle: string;
  readonly seconds: number;
}

export interface SentEntry {
  readonly body: string;
  /** FIFO only: whose order is kept, and what is taken for one within five minutes. */
  readonly group?: string;
  readonly dedupe?: string;
}

/**
 * The requests to one queue, each made once but for what the SDK tries again. They reject with an IsyncError (see
 * queue-errors.ts), or with the reason of the signal.
 */
export class Queue implements Disposable {
  /** The queue and its server, for people. */
  readonly where: string;
  readonly #client: SQSClient;
  readonly #address: QueueAddress;
  #url: string | undefined;

  /** @param connections that may be open at a time */
  constructor(options: SqsOptions, connections: number) {
    const address = options.queue;
    const endpoint = endpointFor(address, options);
    const region = address.region ?? options.region ?? (endpoint && regionForEndpoint(endpoint));
    this.where = `${address.text}${options.endpoint === undefined ? '' : ` at ${options.endpoint}`}`;
    this.#address = address;
    this.#url = address.url;
    this.#client = new SQSClient({
      ...clientSettings({ ...options, endpoint, region }, connections),
      // What the queue calls its own URL decides on no host: an answer may be anybody's.
      useQueueUrlAsEndpoint: false,
      // Checked here, message by message: one that was damaged must not hold up the others of its answer.
      md5: false,
    });
    // It walks through each request and answer for a log that nobody reads.
    this.#client.middlewareStack.remove('loggerMiddleware');
    this.#client.middlewareStack.add(boundedAnswers({ mostBytes: MOST_ANSWER_BYTES }), BOUNDED_ANSWERS);
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }

  /** Finds the queue and reads what it says of itself. */
  async open({ signal }: Abortable): Promise<QueueAttributes> {
    const QueueUrl = (this.#url ??= await this.#findUrl(signal));
    const { Attributes = {} } = await this.#send(
      'GetQueueAttributes',
      { signal, limitMs: LOOK_MS },
      (options) =>
        this.#client.send(
          new GetQueueAttributesCommand({
            QueueUrl,
            // By name, a queue that is not FIFO would refuse to say so.
            AttributeNames: ['All'],
          }),
          options,
        ),
    );
    const { VisibilityTimeout = '', FifoQueue, RedrivePolicy, ApproximateNumberOfMessages } = Attributes;
    if (!/^\d+$/.test(VisibilityTimeout)) throw foreignAnswer(this.where);
    return {
      visibilitySeconds: Number(VisibilityTimeout),
      isFifo: FifoQueue === 'true',
      waiting: ApproximateNumberOfMessages === undefined ? undefined : Number(ApproximateNumberOfMessages),
      redrivePolicy: RedrivePolicy,
    };
  }

  /** One poll: up to `most` messages, which is {@link PER_CALL} at most and by default, or none after `waitSeconds`. */
  async receive(
    waitSeconds: number,
    visibilitySeconds: number,
    signal: AbortSignal,
    most = PER_CALL,
  ): Promise<readonly Message[]> {
    const limitMs = (waitSeconds + POLL_MARGIN_S) * 1000;
    const { Messages = [] } = await this.#send('ReceiveMessage', { signal, limitMs }, (options) =>
      this.#client.send(
        new ReceiveMessageCommand({
          QueueUrl: this.#url,
          MaxNumberOfMessages: most,
          WaitTimeSeconds: waitSeconds,
          VisibilityTimeout: visibilitySeconds,
          MessageSystemAttributeNames: ['ApproximateReceiveCount', 'SentTimestamp'],
        }),
        options,
      ),
    );
    return Messages;
  }

  /** Resolves with what failed of each entry; undefined where it was done. At most {@link PER_CALL} entries. */
  async changeVisibility(
    entries: readonly VisibilityEntry[],
    limits: Limits,
  ): Promise<readonly (EntryFailure | undefined)[]> {
    const answer = await this.#send('ChangeMessageVisibility', limits, (options) =>
      this.#client.send(
        new ChangeMessageVisibilityBatchCommand({
          QueueUrl: this.#url,
          Entries: entries.map(({ handle, seconds }, index) => ({
            Id: String(index),
            ReceiptHandle: handle,
            VisibilityTimeout: seconds,
          })),
        }),
        options,
      ),
    );
    return failuresOf(entries.length, answer);
  }

  /** As {@link changeVisibility}. */
  async delete(handles: readonly string[], limits: Limits): Promise<readonly (EntryFailure | undefined)[]> {
    const answer = await this.#send('DeleteMessage', limits, (options) =>
      this.#client.send(
        new DeleteMessageBatchCommand({
          QueueUrl: this.#url,
          Entries: handles.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle })),
        }),
        options,
      ),
    );
    return failuresOf(handles.length, answer);
  }

  /** Resolves with what failed of each message; undefined where the queue has it. At most {@link PER_CALL}. */
  async sendMessages(
    entries: readonly SentEntry[],
    limits: Limits,
  ): Promise<readonly (IsyncError | undefined)[]> {
    const QueueUrl = (this.#url ??= await this.#findUrl(limits.signal));
    const answer = await this.#send('SendMessage', limits, (options) =>
      this.#client.send(
        new SendMessageBatchCommand({
          QueueUrl,
          Entries: entries.map(({ body, group, dedupe }, index) => ({
            Id: String(index),
            MessageBody: body,
            MessageGroupId: group,
            MessageDeduplicationId: dedupe,
          })),
        }),
        options,
      ),
    );
    const ours = new Set(answer.Failed?.filter(({ SenderFault }) => SenderFault).map(({ Id }) => Id));
    return failuresOf(entries.length, answer).map(
      (failure, index) => failure && messageError(failure, ours.has(String(index)), this.where),
    );
  }

  async #findUrl(signal: AbortSignal | undefined): Promise<string> {
    const { name, account } = this.#address;
    const { QueueUrl } = await this.#send('GetQueueUrl', { signal, limitMs: LOOK_MS }, (options) =>
      this.#client.send(
        new GetQueueUrlCommand({
          QueueName: name,
          ...(account !== undefined && { QueueOwnerAWSAccountId: account }),
        }),
        options,
      ),
    );
    if (QueueUrl === undefined) throw foreignAnswer(this.where);
    return QueueUrl;
  }

  async #send<T>(
    action: SqsAction,
    { signal, limitMs }: Limits,
    send: (options: { readonly abortSignal?: AbortSignal; readonly requestTimeout: number }) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await send({ requestTimeout: limitMs, ...(signal !== undefined && { abortSignal: signal }) });
    } catch (error) {
      signal?.throwIfAborted();
      throw queueError(error, this.where, action);
    }
  }
}

/** A queue is reached at the host of its URL, unless that is a host of AWS and another one of AWS's is asked for. */
function endpointFor({ url }: QueueAddress, { endpoint, fips, dualStack }: SqsOptions): string | undefined {
  if (endpoint !== undefined || url === undefined) return endpoint;
  const isChoice = fips === true || dualStack === true;
  return isChoice && regionOfHost(url) !== undefined ? undefined : new URL(url).origin;
}

/** What the SDK's chain would find first; with an endpoint it is not asked. */
function regionForEndpoint(endpoint: string): string | undefined {
  return regionOfHost(endpoint) ?? process.env['AWS_REGION'];
}

interface BatchAnswer {
  readonly Successful: readonly { readonly Id: string | undefined }[] | undefined;
  readonly Failed: readonly BatchResultErrorEntry[] | undefined;
}

/** An entry that the answer does not name has failed: nobody says that it was done. */
function failuresOf(
  count: number,
  { Successful = [], Failed = [] }: BatchAnswer,
): readonly (EntryFailure | undefined)[] {
  const done = new Set(Successful.map(({ Id }) => Id));
  const failed = new Map(Failed.map((entry) => [entry.Id, entry]));
  return Array.from({ length: count }, (_, index) => {
    const id = String(index);
    const entry = failed.get(id);
    if (entry !== undefined) return { code: bareCode(entry.Code), message: entry.Message ?? '' };
    return done.has(id) ? undefined : { code: 'Missing', message: 'the answer does not name the entry' };
  });
}
