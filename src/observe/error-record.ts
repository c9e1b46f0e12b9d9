import type { LogRecord } from './log-record.ts';

/** Most causes behind one another that are told. */
const MAX_CAUSES = 16;

/** What a log tells of an error: its type, message and stack, each with those of its causes, and what else of it is plain. */
export function errorRecord(error: Error): LogRecord {
  const chain = withCauses(error);
  return {
    type: error.constructor.name,
    message: chain.map(({ message }) => message).join(': '),
    stack: chain.map(({ stack = '' }) => stack).join('\ncaused by: '),
    ...(error instanceof AggregateError && { aggregateErrors: error.errors.map(describe) }),
    // Such as the errno, code, path and system call of Node's own.
    ...Object.fromEntries(Object.entries(error).filter(([, value]) => isPlain(value))),
  };
}

function withCauses(error: Error): Error[] {
  const chain: Error[] = [];
  for (let each: unknown = error; each instanceof Error && chain.length < MAX_CAUSES; each = each.cause)
    chain.push(each);
  return chain;
}

function describe(error: unknown): unknown {
  return error instanceof Error ? errorRecord(error) : error;
}

function isPlain(value: unknown): boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}
