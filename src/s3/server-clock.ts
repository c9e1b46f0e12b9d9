import type { S3Client } from '@aws-sdk/client-s3';

/** `Date` of an answer is cut to whole seconds: on average it is this much behind, in ms. */
const CUT_MS = 500;

/**
 * Tells how far the clock of this machine is ahead of the server's, in ms, with every answer of the client that has a date,
 * refusals too. To be called before its first request. Requests that go without the SDK (quick/) tell nothing.
 */
export function watchServerClock(client: S3Client, tell: (aheadMs: number) => void): void {
  client.middlewareStack.add(
    (next) => async (call) => {
      const result = await next(call);
      const dateMs = dateIn(result.response);
      if (dateMs !== undefined) tell(Date.now() - dateMs - CUT_MS);
      return result;
    },
    // Next to the wire: before the SDK makes an error of a refusal.
    { step: 'deserialize', name: 'serverClock', priority: 'low' },
  );
}

function dateIn(response: unknown): number | undefined {
  if (typeof response !== 'object' || response === null || !('headers' in response)) return undefined;
  const { headers } = response;
  if (typeof headers !== 'object' || headers === null || !('date' in headers)) return undefined;
  const dateMs = Date.parse(String(headers.date));
  return Number.isNaN(dateMs) ? undefined : dateMs;
}
