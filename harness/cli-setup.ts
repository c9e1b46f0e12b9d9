import { chmodSync, copyFileSync, cpSync, linkSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'rolldown';

const CHECKOUT = join(import.meta.dirname, '..');

/** What all processes of a run have compiled, also the tests themselves, and those of runs before: as the command keeps it. */
const COMPILED = join(tmpdir(), 'node-compile-cache');

/**
 * Bundles the command once a run: it starts in half the time of the sources. Bundle and Node lie where every user may
 * read, wherever this checkout is. What is told already (`ISYNC_CLI_MAIN`, see harness/cli.ts) stays.
 */
export default async function setup(): Promise<(() => void) | undefined> {
  process.env['NODE_COMPILE_CACHE'] ??= COMPILED;
  if (process.env['ISYNC_CLI_MAIN'] !== undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'isync-cli-'));
  chmodSync(folder, 0o755);
  await build({
    input: {
      main: join(CHECKOUT, 'src/cli/main.ts'),
      // It is started by its name, so that nothing imports it.
      'queue-thread': join(CHECKOUT, 'src/events/queue/embedded/queue-thread.ts'),
    },
    platform: 'node',
    output: { dir: join(folder, 'dist/cli'), format: 'esm' },
    logLevel: 'warn',
  });
  // Each part of a bundle lies beside the command itself.
  cpSync(join(CHECKOUT, 'src/cli/status/page'), join(folder, 'dist/cli/page'), { recursive: true });
  cpSync(join(CHECKOUT, 'package.json'), join(folder, 'package.json'));
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
