import { parseRelPath } from '../../src/model/rel-path.ts';
import type { SourceFile } from '../../src/sender/target.ts';

/** A file that is not on any disk, and counts what is read of it. */
export class MemorySource implements SourceFile {
  readonly entry: SourceFile['entry'];
  readonly content: Buffer;
  readBytes = 0;

  constructor(path: string, content: Buffer) {
    this.entry = { path: parseRelPath(path), size: content.length, mtimeUs: 1_700_000_000_000_000 };
    this.content = content;
  }

  readWhole(): Buffer {
    this.readBytes += this.content.length;
    return this.content;
  }

  letGo(): void {}

  async open() {
    return {
      read: async (into: readonly Uint8Array[], position: number) => {
        let count = 0;
        for (const buffer of into)
          count += this.content.copy(buffer, 0, position + count, position + count + buffer.length);
        this.readBytes += count;
        return count;
      },
      check: async () => {},
      [Symbol.asyncDispose]: async () => {},
    };
  }
}
