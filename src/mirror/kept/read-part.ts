import { IsyncError } from '../../model/isync-error.ts';
import type { SpoolFile } from '../spool/spool.ts';

/** The bytes of a body from `start` to before `end`, all of which it has. They may be those of the spool: nobody may write into them. */
export async function readPart(
  body: SpoolFile,
  start: number,
  end: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const size = end - start;
  let bytes: Buffer | undefined;
  let filled = 0;
  for await (const piece of body.read({ start, end }, signal)) {
    // A small body is one piece.
    if (piece.length === size) return piece;
    bytes ??= Buffer.allocUnsafeSlow(size);
    bytes.set(piece, filled);
    filled += piece.length;
  }
  if (filled === size) return bytes ?? new Uint8Array();
  throw new IsyncError('INTERNAL', `${filled} of ${size} bytes are in the spool`);
}
