import type { HttpRequest } from '../../http/handler.ts';
import type { ThrottledLog } from '../../http/throttled-log.ts';
import type { LogFields } from '../../model/log.ts';
import type { Caller } from './caller.ts';

/** A request for /webhook under way. */
export interface Asked {
  readonly id: string;
  readonly request: HttpRequest;
  readonly caller: Caller;
  /** When it came, by a monotonic clock. */
  readonly atMs: number;
}

/** `message` is the id of the request in every line of log, and begins the ids of its records in the queue. */
export function warnOf(
  warnings: ThrottledLog,
  { id, caller }: Asked,
  text: string,
  fields: LogFields = {},
): void {
  warnings.warn(text, `${caller.address}:?`, { message: id, ...fields });
}
