import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openSpool } from '../../src/mirror/spool/open-spool.ts';
import type { Spool, SpoolFile } from '../../src/mirror/spool/spool.ts';

/** A spool in a folder of its own; both are gone after the test. */
export async function newSpool(maxBytes = 256 * 1024 * 1024): Promise<Spool> {
  const parent = mkdtempSync(join(tmpdir(), 'isync-test-spool-'));
  const spool = await openSpool({ folder: join(parent, 'spool'), maxBytes });
  onTestFinished(async () => {
    await spool[Symbol.asyncDispose]();
    rmSync(parent, { recursive: true, force: true });
  });
  return spool;
}

/** A body that has come whole. */
export async function spooled(spool: Spool, content: Uint8Array): Promise<SpoolFile> {
  const file = await spool.open(content.length, 0);
  if (file === undefined) throw new Error('no room in the spool');
  await file.write(content);
  file.end();
  return file;
}
