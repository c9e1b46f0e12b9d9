import { chmodSync, copyFileSync, cpSync, linkSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from '../packaging/bundle.ts';

const CHECKOUT = join(import.meta.dirname, '..');

/** What all processes of a run have compiled, also the tests themselves, and those of runs before: as the command keeps it. */
const COMPILED = join(tmpdir(), 'node-compile-cache');

/**
 * Bundles the command once a run, with all packages: it starts in half the time of the sources. Bundle and Node lie where every user
 * may read, wherever this checkout is. What is told already (`ISYNC_CLI_MAIN`, see harness/cli.ts) stays.
 */
export default async function setup(): Promise<(() => void) | undefined> {
  process.env['NODE_COMPILE_CACHE'] ??= COMPILED;
  if (process.env['ISYNC_CLI_MAIN'] !== undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'isync-cli-'));
  chmodSync(folder, 0o755);
  await bundle(join(folder, 'dist/cli'), 'all');
  for (const name of ['package.json', 'deploy'])
    cpSync(join(CHECKOUT, name), join(folder, name), { recursive: true });
  process.env['ISYNC_CLI_MAIN'] = join(folder, 'dist/cli/main.js');
  process.env['ISYNC_CLI_NODE'] ??= publicNode(folder);
  return () => rmSync(folder, { recursive: true, force: true });
}

/** This Node; for root, which lets others run it, at a path that is open to them. */
function publicNode(folder: string): string {
  if (process.getuid?.() !== 0) return process.execPath;
  const node = join(folder, 'node');
  try {
    linkSync(process.execPath, node);
  } catch {
    // Another file system.
    copyFileSync(process.execPath, node);
  }
  return node;
}
