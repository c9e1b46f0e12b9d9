import { type ByteReader, type ByteWriter, cutText, textBytes } from './bytes.ts';
import { MAX_TEXT_BYTES } from './limits.ts';
import type { Failure } from './messages.ts';

/** Bytes that a failure takes on the wire. */
export function failureBytes({ code, message }: Failure): number {
  return 1 + textBytes(code) + textBytes(shown(message));
}

export function writeFailure(writer: ByteWriter, { retryable, code, message }: Failure): ByteWriter {
  return writer.flag(retryable).text(code).text(shown(message));
}

/** @throws IsyncError PROTOCOL */
export function readFailure(reader: ByteReader): Failure {
  const retryable = reader.flag();
  const code = reader.text();
  return { retryable, code, message: reader.text() };
}

function shown(message: string): string {
  return cutText(message, MAX_TEXT_BYTES);
}
