import { chmodSync, cpSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'rolldown';

const SOURCES = join(import.meta.dirname, '../src');

/** Started by their names, so that nothing imports them. */
const THREADS = {
  'queue-thread': join(SOURCES, 'events/queue/embedded/queue-thread.ts'),
  'pack-thread': join(SOURCES, 'backup/apart/pack-thread.ts'),
};

/** Packages that become part of what is published: zod is a hundred files, which every start would look for. */
const PART_OF_IT: readonly string[] = ['zod'];
/** Of the bundler itself: what stands for syntax that the oldest Node has not. */
const HELPERS = '@oxc-project/runtime';

/**
 * Makes the command, for Node to run, in `folder`, which has to be dist/cli of the package: main.js, and beside it its parts, threads and
 * page. A part is loaded when it is needed.
 * @param packages `all`: it needs no node_modules, which tests of other users have no access to
 */
export async function bundle(
  folder: string,
  packages: readonly string[] | 'all' = PART_OF_IT,
): Promise<void> {
  await build({
    input: { main: join(SOURCES, 'cli/main.ts'), ...THREADS },
    platform: 'node',
    // The oldest Node that package.json names has no `using`.
    transform: { target: 'node22' },
    external: (id) =>
      packages !== 'all' && isPackage(id) && ![HELPERS, ...packages].some((name) => isOf(name, id)),
    output: { dir: folder, format: 'esm' },
    logLevel: 'warn',
  });
  chmodSync(join(folder, 'main.js'), 0o755);
  cpSync(join(SOURCES, 'cli/status/page'), join(folder, 'page'), { recursive: true });
}

function isPackage(id: string): boolean {
  return !id.startsWith('.') && !id.startsWith('/');
}

function isOf(name: string, id: string): boolean {
  return id === name || id.startsWith(`${name}/`);
}
