import { createDigester, type Digester, type DigestAlgorithm } from '../model/digest.ts';
import type { SourceFile } from './target.ts';

/** Bytes read at a time. */
const READ_BYTES = 1024 * 1024;

/** Resolves to the digest of a local file's whole content; rejects as its reader does, so also when it changes meanwhile. */
export async function digestSource(source: SourceFile, algorithm: DigestAlgorithm): Promise<Buffer> {
  return digestWith(createDigester(algorithm), source);
}

/** The same with the caller's own digester, which gets every byte. */
export async function digestWith(digester: Digester, source: SourceFile): Promise<Buffer> {
  await using reader = await source.open();
  const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, Math.max(source.entry.size, 1)));
  for (let position = 0; position < source.entry.size;) {
    const count = await reader.read([buffer], position);
    if (count === 0) break;
    digester.update(buffer.subarray(0, count));
    position += count;
  }
  await reader.check();
  return digester.digest();
}
