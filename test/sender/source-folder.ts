import { lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { toMicroseconds } from '../../src/model/file-entry.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import type { ListedFile } from '../../src/scanner/listed-file.ts';
import type { KeptOpen } from '../../src/sender/kept-open.ts';
import { createSourceFile, type LocalFile } from '../../src/sender/source-file.ts';
import type { SourceFile } from '../../src/sender/target.ts';

/** A folder of files to send, removed at the end. */
export class SourceFolder implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'isync-source-'));

  readonly #made = new Set<string>();

  path(path: string): string {
    return join(this.root, path);
  }

  /** Writes a file and lists it, as a scan would. */
  write(path: string, content: string | Uint8Array): SourceFile {
    const parent = dirname(this.path(path));
    if (!this.#made.has(parent)) mkdirSync(parent, { recursive: true });
    this.#made.add(parent);
    writeFileSync(this.path(path), content);
    return this.source(path);
  }

  /** The version that stands there now. */
  source(path: string, keptOpen?: KeptOpen): LocalFile {
    return createSourceFile(this.root, this.listed(path), keptOpen);
  }

  listed(path: string): ListedFile {
    const { dev, ino, size, mtimeMs, ctimeMs } = lstatSync(this.path(path));
    return {
      entry: { path: parseRelPath(path), size, mtimeUs: toMicroseconds(mtimeMs) },
      identity: { dev, ino, size, mtimeMs, ctimeMs },
      marked: false,
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** `length` bytes of text that compresses, as what devices measure does. */
export function telemetry(length: number, seed = 1): Buffer {
  const parts: string[] = [];
  let state = seed >>> 0 || 1;
  for (let written = 0; written < length; written += parts.at(-1)?.length ?? 0) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    parts.push(`{"seq":${parts.length},"sensor":"temperature","unit":"C","value":${state >>> 16}}\n`);
  }
  return Buffer.from(parts.join('').slice(0, length));
}

/** `length` bytes that differ from place to place and from seed to seed. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed >>> 0 || 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}
