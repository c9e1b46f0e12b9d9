import { Readable } from 'node:stream';
import type { QueueMessage, ToPark } from '../../src/events/http/take-message.ts';
import { webhookHandler } from '../../src/events/http/webhook-handler.ts';
import type { WebhookOptions } from '../../src/events/http/webhook-options.ts';
import type { HttpHeaders, HttpRequest } from '../../src/http/handler.ts';
import { ThrottledLog } from '../../src/http/throttled-log.ts';
import { RecordingLog } from '../recording-log.ts';

/** A record of AWS, as a message has it. */
export function record(key = 'a.jpg', bucket = 'photos'): Record<string, unknown> {
  return {
    eventVersion: '2.1',
    eventSource: 'aws:s3',
    eventTime: '2026-01-01T00:00:00.000Z',
    eventName: 'ObjectCreated:Put',
    s3: { bucket: { name: bucket }, object: { key, size: 1, eTag: 'e', sequencer: '01' } },
  };
}

export function messageOf(...records: readonly unknown[]): string {
  return JSON.stringify({ Records: records });
}

/** A queue and a parking that keep everything in memory, and a log. */
export class Kept {
  readonly published: QueueMessage[] = [];
  readonly parked: ToPark[] = [];
  readonly log = new RecordingLog();
  /** What publishing rejects with. */
  trouble: Error | undefined;
  publish = async (messages: readonly QueueMessage[]): Promise<void> => {
    if (this.trouble !== undefined) throw this.trouble;
    this.published.push(...messages);
  };
  readonly parking = {
    count: 0,
    park: async (record: ToPark): Promise<void> => void this.parked.push(record),
  };

  get keys(): unknown[] {
    return this.published.map(({ body }) => JSON.parse(body).Records[0].s3.object.key);
  }

  options(options: Partial<WebhookOptions> = {}): WebhookOptions {
    return {
      publish: (messages) => this.publish(messages),
      parking: this.parking,
      access: { token: TOKEN },
      log: this.log,
      warnings: new ThrottledLog(this.log),
      ...options,
    };
  }
}

export const TOKEN = 'a-token-of-32-characters-or-more';

export interface Answered {
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly text: string;
  /** Whether anything of the body was read. */
  readonly isRead: boolean;
  readonly isAdmitted: boolean;
}

export interface Asking {
  readonly method?: string;
  readonly target?: string;
  readonly headers?: HttpHeaders;
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
  readonly remoteAddress?: string;
}

/** Asks a handler as a server would. */
export function asking(options: WebhookOptions) {
  const handler = webhookHandler(options);
  return async (asked: Asking = {}): Promise<Answered> => {
    const { method = 'POST', target = '/webhook', body = '', remoteAddress = '192.0.2.1' } = asked;
    const told = { isRead: false, isAdmitted: false };
    async function* read() {
      told.isRead = true;
      yield* typeof body === 'string'
        ? Readable.from([Buffer.from(body)])
        : body instanceof Uint8Array
          ? [body]
          : body;
    }
    const request: HttpRequest = {
      method,
      target,
      headers: { host: 'hook.example', authorization: `Bearer ${TOKEN}`, ...asked.headers },
      remoteAddress,
      body: read(),
      signal: new AbortController().signal,
      admitted: () => void (told.isAdmitted = true),
    };
    const { status, headers = {}, body: text } = await handler(request);
    return { status, headers, text: typeof text === 'string' ? text : '', ...told };
  };
}
