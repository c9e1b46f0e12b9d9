import { connect } from 'node:net';
import { IsyncError, errnoOf } from '../../model/isync-error.ts';
import { parseReport, type ToldReport } from './parse-report.ts';

/** Longest report, in bytes: one with a thousand devices has some 300 kB. */
export const MAX_REPORT_BYTES = 8 * 1024 * 1024;
/** How long an answer may take, in ms: a process answers between two pieces of its work. */
export const ANSWER_MS = 5_000;

/**
 * Returns what a process says at its socket; undefined where nobody listens there.
 * @throws IsyncError PROTOCOL, UNREACHABLE, the last also where it is that of another user
 */
export async function askSocket(path: string): Promise<ToldReport | undefined> {
  const client = connect(path);
  const timer = setTimeout(
    () =>
      client.destroy(
        new IsyncError('UNREACHABLE', `it has not answered within ${ANSWER_MS / 1000} s`, { path }),
      ),
    ANSWER_MS,
  );
  try {
    return parseReport(await textOf(client));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ECONNREFUSED' || errno === 'ENOENT') return undefined;
    if (error instanceof IsyncError) throw error;
    if (errno === 'EACCES' || errno === 'EPERM')
      throw new IsyncError('UNREACHABLE', 'it belongs to another user: ask as that user, or as root', {
        path,
      });
    throw new IsyncError(
      'UNREACHABLE',
      `it can't be asked: ${error instanceof Error ? error.message : String(error)}`,
      {
        path,
        cause: error,
      },
    );
  } finally {
    clearTimeout(timer);
    client.destroy();
  }
}

/** The whole of an answer. */
export async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of chunks) {
    size += piece.length;
    if (size > MAX_REPORT_BYTES)
      throw new IsyncError('PROTOCOL', `the answer is longer than ${MAX_REPORT_BYTES} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}
