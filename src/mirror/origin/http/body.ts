import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { Deadlines } from '../deadlines.ts';
import { OriginError } from '../origin.ts';
import type { Exchange } from './exchange.ts';
import { faultOf } from './faults.ts';

export interface BodyPlan {
  /** Of the origin, for people. */
  readonly name: string;
  /** Bytes announced; undefined where none were. */
  readonly size: number | undefined;
  /** Base64. */
  readonly md5: string | undefined;
  readonly maxSize: number;
  readonly idleMs: number;
  readonly deadlines: Deadlines;
}

/** The bytes of a body; rejects behind them where they are not all, more than was announced, or not those of the digest. */
export async function* readBody(exchange: Exchange, plan: BodyPlan): AsyncGenerator<Uint8Array> {
  const { name, deadlines, idleMs, maxSize } = plan;
  const hash = plan.md5 === undefined ? undefined : createHash('md5');
  const complaint = `has sent nothing for ${idleMs} ms`;
  let size = 0;
  try {
    for (;;) {
      const piece = await deadlines.within(idleMs, complaint, () => exchange.next());
      if (piece === undefined) break;
      size += piece.length;
      if (size > maxSize) throw tooLarge(name, maxSize);
      hash?.update(piece);
      yield piece;
    }
    // What came behind the body is in the socket by now.
    if (plan.size !== undefined) await turn();
    checkLength(exchange, plan, size);
    if (hash !== undefined && hash.digest('base64') !== plan.md5)
      throw new OriginError(502, `${name} has sent a body that is not the one of its Content-MD5`);
  } catch (error) {
    deadlines.signal.throwIfAborted();
    throw faultOf(name, error, true);
  } finally {
    deadlines[Symbol.dispose]();
    exchange[Symbol.dispose]();
  }
}

export function tooLarge(name: string, maxSize: number): OriginError {
  return new OriginError(302, `${name} has an object over ${maxSize} bytes`);
}

function checkLength({ connection }: Exchange, { name, size: announced }: BodyPlan, size: number): void {
  if (announced === undefined) return;
  const sent = Math.max(size, connection.bodyBytes);
  if (sent !== announced)
    throw new OriginError(502, `${name} has announced ${announced} bytes and sent ${sent}`);
}
