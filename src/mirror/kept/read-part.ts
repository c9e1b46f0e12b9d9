import { IsyncError } from '../../model/isync-error.ts';
import type { SpoolFile } from '../spool/spool.ts';

/** The bytes of a body from `start` to before `end`, all of which it has. */
export async function readPart(
  body: SpoolFile,
  start: number,
  end: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(end - start);
  let filled = 0;
  for await (const piece of body.read({ start, end }, signal)) {
    bytes.set(piece, filled);
    filled += piece.length;
  }
  if (filled === bytes.length) return bytes;
  throw new IsyncError('INTERNAL', `${filled} of ${bytes.length} bytes are in the spool`);
}
