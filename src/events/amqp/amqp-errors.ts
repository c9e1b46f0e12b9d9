import { errnoOf, IsyncError, type ErrorCode, type IsyncErrorDetails } from '../../model/isync-error.ts';
import { oneLine } from '../../model/one-line.ts';
import { tlsText } from '../../model/tls-text.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly retryable?: boolean;
}

const FULL: Meaning = {
  code: 'STORE_FULL',
  message: 'the queue of RabbitMQ is full',
  hint: 'See that workers run; it goes on by itself below four fifths of the limit.',
};
const AWAY: Meaning = {
  code: 'BUSY',
  message: "RabbitMQ can't be used now",
  hint: 'See that the broker runs; it goes on by itself.',
};

/** By the name of the reply code: https://www.rabbitmq.com/amqp-0-9-1-reference#constants */
const BY_CODE: Readonly<Record<string, Meaning>> = {
  // The client's own: basic.nack in place of a confirmation.
  NACK: FULL,
  ACCESS_REFUSED: {
    code: 'STORE_REFUSED',
    message: 'RabbitMQ refuses',
    hint: 'Check user and password, and that the user may configure, write and read this queue and those whose names begin with it.',
  },
  NOT_ALLOWED: {
    code: 'STORE_REFUSED',
    message: 'RabbitMQ refuses the vhost',
    hint: 'In the URL the vhost stands before the queue: amqp://HOST/VHOST/QUEUE; make it, and let the user into it.',
  },
  NOT_FOUND: {
    code: 'STORE_MISSING',
    message: 'RabbitMQ has no such queue',
    hint: 'Make it, or correct its name and its vhost.',
  },
  PRECONDITION_FAILED: { code: 'STORE_FAILED', message: 'RabbitMQ', retryable: false },
  RESOURCE_LOCKED: { code: 'BUSY', message: 'somebody else uses the queue alone' },
};
/** A queue whose node or leader is not up yet is told of as one that is not there. */
const NOT_YET = /timeout|down|inaccessible|stopped|crashed/;
const TLS_ERRORS = /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|EPROTO$)/;

/** `thrown` by the client as what callers of a queue get. */
export function amqpError(thrown: unknown, where: string): IsyncError {
  if (thrown instanceof IsyncError) return thrown;
  const text = thrown instanceof Error ? tlsText(thrown.message) || (errnoOf(thrown) ?? '') : String(thrown);
  const { code, message, hint, retryable } = meaningOf(errnoOf(thrown) ?? '', text);
  const details: IsyncErrorDetails = { path: where, cause: thrown, hint, retryable };
  return new IsyncError(code, oneLine(`${message} (${text})`), details);
}

/** The broker has an alarm: its disk or its memory is short, and it reads from no publisher. */
export function blockedError(where: string): IsyncError {
  return new IsyncError('STORE_FULL', 'RabbitMQ takes nothing: its disk or its memory is short', {
    path: where,
    hint: 'Make room there; it goes on by itself.',
  });
}

export function fullError(where: string): IsyncError {
  return new IsyncError(FULL.code, FULL.message, { path: where, hint: FULL.hint });
}

/** Nobody has confirmed it, and nobody knows whether the broker has it. */
export function lateError(where: string): IsyncError {
  return new IsyncError('BUSY', 'RabbitMQ does not answer', { path: where, hint: AWAY.hint });
}

function meaningOf(code: string, text: string): Meaning {
  if (TLS_ERRORS.test(code))
    return {
      code: 'TLS_FAILED',
      message: 'no trusted TLS connection to RabbitMQ',
      hint: 'Name the authority of its certificate with NODE_EXTRA_CA_CERTS=FILE; without TLS the URL begins with amqp://.',
    };
  if (code === 'NOT_FOUND' && NOT_YET.test(text)) return AWAY;
  return BY_CODE[code] ?? AWAY;
}
