import { createHash } from 'node:crypto';
import type { AsyncMessage } from 'rabbitmq-client';

/** Of our own messages. All are texts: numbers of a table have widths. */
export const HEADERS = {
  /** One publish: a message that is delivered twice has the same, one that was published twice has not. */
  copy: 'isync-copy',
  /** Deliveries before this publish. */
  attempts: 'isync-attempts',
  /** For good, before this publish. */
  failures: 'isync-failures',
  /** When it was first published, in ms since the epoch. */
  sentMs: 'isync-sent',
  /** Whether somebody has put it back from the dead: then it counts, whatever was done before. */
  replayed: 'isync-replayed',
  reason: 'isync-reason',
  buriedMs: 'isync-buried',
} as const;

/** What is to be known of any message in AMQP, whoever published it. */
export interface ReadMessage {
  readonly id: string;
  /** Of messages that are taken for one: of ours those of an id, of other publishers those that are wholly the same. */
  readonly key: string;
  /** Which publish of ours it is; undefined where somebody else has published it. */
  readonly copy: string | undefined;
  readonly isReplayed: boolean;
  readonly body: string;
  /** From 1. */
  readonly attempt: number;
  readonly failures: number;
  readonly sentMs: number | undefined;
  readonly header: (name: string) => string | undefined;
}

export function readMessage(message: AsyncMessage): ReadMessage {
  const headers: unknown = message.headers;
  const header = (name: string): string | undefined => {
    const value = valueIn(headers, name);
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  };
  const body = bodyOf(message.body);
  const stampMs = message.timestamp === undefined ? undefined : message.timestamp * 1000;
  // Quorum queues count; of others only that it was delivered before is known.
  const returns = wholeNumber(header('x-delivery-count')) ?? (message.redelivered ? 1 : 0);
  const copy = header(HEADERS.copy);
  const digest = copy === undefined ? createHash('sha256').update(body).digest('hex') : '';
  return {
    id: message.messageId || `sha256-${digest}`,
    key: `${message.messageId ?? ''} ${digest}`,
    copy,
    isReplayed: header(HEADERS.replayed) !== undefined,
    body,
    attempt: (wholeNumber(header(HEADERS.attempts)) ?? 0) + returns + 1,
    failures: wholeNumber(header(HEADERS.failures)) ?? 0,
    sentMs: wholeNumber(header(HEADERS.sentMs)) ?? stampMs,
    header,
  };
}

/** Why the broker itself has moved a message away, in its own word: `delivery_limit`, `expired`. */
export function deathOf({ headers }: Pick<AsyncMessage, 'headers'>): string | undefined {
  const deaths = valueIn(headers, 'x-death');
  const reason: unknown = Array.isArray(deaths) ? valueIn(deaths[0], 'reason') : undefined;
  return typeof reason === 'string' ? reason : undefined;
}

/** By its content type the client has taken it for a text, or for JSON that it has parsed. */
function bodyOf(body: unknown): string {
  if (typeof body === 'string') return body;
  if (Buffer.isBuffer(body)) return body.toString();
  try {
    return JSON.stringify(body) ?? '';
  } catch {
    // Parsed, but nested deeper than can be written: nothing that we could read either.
    return '"nested too deeply"';
  }
}

function valueIn(table: unknown, name: string): unknown {
  if (typeof table !== 'object' || table === null) return undefined;
  return Object.entries(table).find(([key]) => key === name)?.[1];
}

function wholeNumber(text: string | undefined): number | undefined {
  const value = text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  return Number.isSafeInteger(value) ? value : undefined;
}
