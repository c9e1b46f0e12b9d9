import { JetStreamApiError } from '@nats-io/jetstream';
import {
  AuthorizationError,
  PermissionViolationError,
  UserAuthenticationExpiredError,
} from '@nats-io/transport-node';
import { IsyncError } from '../../model/isync-error.ts';

/** Of JetStream's API: https://github.com/nats-io/nats-server/blob/main/server/errors.json */
const FULL: ReadonlySet<number> = new Set([
  10_023, // insufficient resources
  10_047, // insufficient storage resources available
  10_077, // maximum messages exceeded, or bytes: why a store failed
]);
const UNAVAILABLE = 503;

/** `thrown` by the client as what callers of a queue get. */
export function natsError(thrown: unknown, where: string): IsyncError {
  if (thrown instanceof IsyncError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const details = { path: where, cause: thrown };
  const [refusal] = [thrown, thrown instanceof Error ? thrown.cause : undefined].filter(isRefusal);
  if (refusal !== undefined) return new IsyncError('STORE_REFUSED', `NATS refuses: ${text}`, details);
  if (thrown instanceof JetStreamApiError) {
    if (FULL.has(thrown.code))
      return new IsyncError('STORE_FULL', `the queue of NATS is full (${text})`, {
        ...details,
        hint: 'See that workers run, and that the server has room; it goes on by itself.',
      });
    if (thrown.status !== UNAVAILABLE)
      return new IsyncError('STORE_FAILED', `JetStream: ${text}`, { ...details, retryable: false });
  }
  return new IsyncError('BUSY', `NATS can't be used now (${text})`, {
    ...details,
    hint: 'See that the server runs, with JetStream; it goes on by itself.',
  });
}

function isRefusal(error: unknown): boolean {
  return (
    error instanceof AuthorizationError ||
    error instanceof PermissionViolationError ||
    error instanceof UserAuthenticationExpiredError
  );
}
