import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A new folder that goes away after the test. */
export function temporaryFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'isync-cli-'));
  // Not by `afterEach` of this module: files that share a worker share it, and only the first one would have the hook.
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
